//! What follows the log: the read models and the reactors that the database has, whichever builds keep them.

use super::Log;

impl Log {
    /// The names of the read models, in their order. A migration makes each, before any build keeps it.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn read_models(&self) -> sqlx::Result<Vec<String>> {
        let query = || {
            sqlx::query_scalar!("select distinct read_model from generations order by read_model")
                .fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }

    /// The names of the reactors that a projector has run, in their order.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn reactors(&self) -> sqlx::Result<Vec<String>> {
        let query = || {
            sqlx::query_scalar!("select name from reactors order by name").fetch_all(&*self.pool)
        };
        self.pool.read(query).await
    }
}

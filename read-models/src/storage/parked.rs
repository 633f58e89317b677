//! Parking rows to which an event could not be applied, and the events that wait with them.

use std::sync::Arc;

use sqlx::{Connection, PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::write::GenerationRow;
use super::{Ordered, Parked, RowBatch, Storage, StorageError, StoredRow, Untried};

impl Storage {
    /// The parked rows of the shard, each without its document and with the first event that it lacks.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn parked(&self) -> sqlx::Result<Vec<StoredRow>> {
        let query = sqlx::query!(
            r#"
            select id,
                   position
              from parked
             where read_model = $1
               and generation = $2
               and shard = $3
            "#,
            self.read_model,
            self.generation.number,
            self.shard.number,
        );
        let parked = self.answered(query.fetch_all(&self.pool)).await?;
        let parked = parked.into_iter();
        Ok(parked
            .map(|row| StoredRow::removed(row.id, row.position))
            .collect())
    }

    /// The parked rows of the shard that this build has not tried to make since they were parked, or since an operator
    /// asked for it: at most `limit`, those that have waited longest first.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn untried(&self, limit: i64) -> sqlx::Result<Vec<Untried>> {
        let query = sqlx::query_as!(
            Untried,
            r#"
            select id,
                   position
              from parked
             where read_model = $1
               and generation = $2
               and shard = $3
               and tried_by <> $4
             order by position
             limit $5
            "#,
            self.read_model,
            self.generation.number,
            self.shard.number,
            &*self.build,
            limit,
        );
        self.answered(query.fetch_all(&self.pool)).await
    }

    /// The positions of the events after `after` that wait for a parked row, in order, at most `limit`.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn waiting(&self, id: Uuid, after: i64, limit: i64) -> sqlx::Result<Vec<i64>> {
        let query = sqlx::query_scalar!(
            r#"
            select position
              from parked_events
             where read_model = $1
               and generation = $2
               and id = $3
               and position > $4
             order by position
             limit $5
            "#,
            self.read_model,
            self.generation.number,
            id,
            after,
            limit,
        );
        self.answered(query.fetch_all(&self.pool)).await
    }

    /// Stores that one more attempt to make a parked row failed.
    ///
    /// # Errors
    /// If Postgres fails.
    pub async fn keep_parked(&self, id: Uuid, reason: &str) -> sqlx::Result<()> {
        let query = sqlx::query!(
            r#"
            update parked p
               set position = coalesce(
                       (select min(e.position)
                          from parked_events e
                         where e.read_model = $1
                           and e.generation = $2
                           and e.id = $3),
                       p.position),
                   reason = $4,
                   attempts = p.attempts + 1,
                   tried_by = $5
             where p.read_model = $1
               and p.generation = $2
               and p.id = $3
            "#,
            self.read_model,
            self.generation.number,
            id,
            storable(reason),
            &*self.build,
        );
        self.answered(query.execute(&self.pool)).await.map(drop)
    }

    /// Those rows of a batch that Postgres refuses, and why. Nothing is written. The rows are tried all at once, and
    /// halved as long as one of them is refused: each attempt has its own time, since there are twice as many attempts as
    /// rows if all are refused.
    ///
    /// # Errors
    /// If Postgres fails for another reason than the rows.
    pub async fn refused(&self, batch: Arc<RowBatch>) -> Result<Vec<(Uuid, String)>, StorageError> {
        let storage = self.clone();
        // As for a write: the transaction ends whatever the caller does.
        let search = async move {
            let mut connection = storage.pool.acquire().await?;
            let found = storage.search_refused(&mut connection, &batch.rows).await;
            if found.is_err() {
                connection.close_on_drop();
            }
            found
        };
        tokio::spawn(search).await?
    }

    async fn search_refused(
        &self,
        connection: &mut PgConnection,
        rows: &[StoredRow],
    ) -> Result<Vec<(Uuid, String)>, StorageError> {
        let mut transaction = self.answered(connection.begin()).await?;
        let mut refused = Vec::new();
        let rows: Vec<_> = self.of_generation(rows).collect();
        let mut unknown = vec![rows.as_slice()];
        while let Some(rows) = unknown.pop() {
            let attempt = self.attempt(&mut transaction, rows);
            match (self.answered(attempt).await?, rows) {
                (None, _) => {}
                (Some(reason), [(_, row)]) => refused.push((row.id, reason)),
                (Some(_), _) => {
                    let (first, second) = rows.split_at(rows.len() / 2);
                    unknown.extend([first, second]);
                }
            }
        }
        self.answered(transaction.rollback()).await?;
        Ok(refused)
    }

    /// Writes rows unless Postgres refuses one of them. Returns why it does.
    async fn attempt(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        rows: &[GenerationRow<'_>],
    ) -> Result<Option<String>, StorageError> {
        let mut attempt = Connection::begin(&mut **transaction).await?;
        match self.write_rows(&mut attempt, rows).await {
            Ok(()) => attempt.commit().await?,
            Err(error) if error.is_of_a_row() => {
                attempt.rollback().await?;
                return Ok(Some(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    /// Parks rows and lets events wait, carries out what is ordered about them, or forgets what is parked no longer.
    pub(super) async fn park(
        &self,
        connection: &mut PgConnection,
        parked: &Parked,
    ) -> sqlx::Result<()> {
        let Parked {
            rows,
            events,
            released,
            ordered,
        } = parked;
        if !released.is_empty() {
            sqlx::query!(
                r#"
                delete from parked
                 where read_model = $1
                   and generation = $2
                   and id = any ($3)
                "#,
                self.read_model,
                self.generation.number,
                released,
            )
            .execute(&mut *connection)
            .await?;
        }
        if !rows.is_empty() {
            sqlx::query!(
                r#"
                insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by)
                select $1, $2, $3, id, kind, position, reason, $8
                  from unnest($4::uuid[], $5::text[], $6::bigint[], $7::text[])
                    as parked (id, kind, position, reason)
                "#,
                self.read_model,
                self.generation.number,
                self.shard.number,
                &rows.iter().map(|row| row.id).collect::<Vec<_>>(),
                &rows.iter().map(|row| row.kind.name()).collect::<Vec<_>>() as &[&str],
                &rows.iter().map(|row| row.position).collect::<Vec<_>>(),
                &rows.iter().map(|row| storable(&row.reason)).collect::<Vec<_>>(),
                &*self.build,
            )
            .execute(&mut *connection)
            .await?;
        }
        if !events.is_empty() {
            let (ids, positions): (Vec<_>, Vec<_>) = events.iter().copied().unzip();
            sqlx::query!(
                r#"
                insert into parked_events (read_model, generation, id, position)
                select $1, $2, id, position
                  from unnest($3::uuid[], $4::bigint[]) as waiting (id, position)
                "#,
                self.read_model,
                self.generation.number,
                &ids,
                &positions,
            )
            .execute(&mut *connection)
            .await?;
        }
        if !ordered.is_empty() {
            self.carry_out(connection, ordered).await?;
        }
        Ok(())
    }

    /// Has rows tried again, some of them without an event, if they are parked.
    async fn carry_out(
        &self,
        connection: &mut PgConnection,
        ordered: &[Ordered],
    ) -> sqlx::Result<()> {
        let ids: Vec<_> = ordered.iter().map(|it| it.id).collect();
        let without: Vec<_> = ordered.iter().map(|it| it.without).collect();
        sqlx::query!(
            r#"
            delete from parked_events e
             using unnest($3::uuid[], $4::bigint[]) as ordered (id, without)
             where e.read_model = $1
               and e.generation = $2
               and e.id = ordered.id
               and e.position = ordered.without
            "#,
            self.read_model,
            self.generation.number,
            &ids,
            &without as &[Option<i64>],
        )
        .execute(&mut *connection)
        .await?;
        sqlx::query!(
            r#"
            update parked p
               set tried_by = '',
                   position = coalesce(
                       (select min(e.position)
                          from parked_events e
                         where e.read_model = $1
                           and e.generation = $2
                           and e.id = p.id),
                       p.position)
             where p.read_model = $1
               and p.generation = $2
               and p.id = any ($3)
            "#,
            self.read_model,
            self.generation.number,
            &ids,
        )
        .execute(connection)
        .await
        .map(drop)
    }
}

/// A text that Postgres takes, whatever was wrong.
fn storable(reason: &str) -> String {
    reason.replace('\0', "")
}

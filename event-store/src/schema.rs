//! The migrations of the database, which are compiled into the binary. There is no way back.

use sqlx::PgPool;
use sqlx::migrate::MigrateError;

/// Brings a database to the schema of this build. Only the role that owns the schema may do that.
///
/// # Errors
/// If a migration fails, or the database has one that this build does not know.
pub async fn migrate(owner: &PgPool) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations").run(owner).await
}

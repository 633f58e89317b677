//! The migrations, inside the binary: forward only.

use sqlx::PgPool;
use sqlx::migrate::MigrateError;

/// Brings a database to the schema of this build. Needs the owner's connection.
///
/// # Errors
/// If a migration fails, or the database has one that this build does not know.
pub async fn migrate(owner: &PgPool) -> Result<(), MigrateError> {
    sqlx::migrate!("../migrations").run(owner).await
}

//! How a projector shows the others that it runs: by a lease of its own, which nobody else wants.

use sqlx::PgPool;
use uuid::Uuid;

/// What the names of these leases begin with.
pub(super) const PREFIX: &str = "projector:";
/// The time after which the lease of a projector that ended is removed.
const REMOVED_AFTER_S: f64 = 86_400.0;

/// The name of the lease by which a projector shows that it runs.
pub(super) fn lease(holder: Uuid) -> String {
    format!("{PREFIX}{holder}")
}

/// Removes the leases of projectors that ended long ago.
pub(super) async fn remove_old(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from leases
         where starts_with(name, $1)
           and expires_at < clock_timestamp() - make_interval(secs => $2)
        "#,
        PREFIX,
        REMOVED_AFTER_S,
    )
    .execute(pool)
    .await
    .map(drop)
}

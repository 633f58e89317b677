//! How a projector shows the others that it runs, and what it can run: by a lease of its own, which nobody else
//! wants.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgPool;
use uuid::Uuid;

/// What the names of these leases begin with.
const PREFIX: &str = "projector:";
/// The time after which the lease of a projector that ended is removed.
const REMOVED_AFTER_S: f64 = 86_400.0;

/// The name of the lease by which a projector shows that it runs.
pub(super) fn lease(holder: Uuid) -> String {
    format!("{PREFIX}{holder}")
}

/// The projectors that run, each with what it can run; `None` if its build does not say.
pub(super) async fn projectors(
    pool: &PgPool,
) -> sqlx::Result<BTreeMap<Uuid, Option<BTreeSet<String>>>> {
    let projectors = sqlx::query!(
        r#"
        select holder,
               runs
          from leases
         where starts_with(name, $1)
           and expires_at > clock_timestamp()
        "#,
        PREFIX,
    )
    .fetch_all(pool)
    .await?;
    let projectors = projectors
        .into_iter()
        .map(|row| (row.holder, row.runs.map(|runs| runs.into_iter().collect())));
    Ok(projectors.collect())
}

/// Tells the others what a projector can run.
pub(super) async fn announce(
    pool: &PgPool,
    holder: Uuid,
    abilities: impl Iterator<Item = &String>,
) -> sqlx::Result<()> {
    let abilities: Vec<_> = abilities.cloned().collect();
    sqlx::query!(
        "update leases set runs = $3 where name = $1 and holder = $2",
        lease(holder),
        holder,
        &abilities,
    )
    .execute(pool)
    .await
    .map(drop)
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

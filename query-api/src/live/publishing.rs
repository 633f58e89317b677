//! Sends what has changed to those who follow it.

use sqlx::PgPool;

use super::Followers;
use super::followed::Followed;
use super::positions::PublishedPositions;

/// Sends the followers of the documents of a read model those that changed after the `published` positions. Returns the positions
/// up to which that is done now; `applied` is how far the shards had come just before.
///
/// # Errors
/// If Postgres does not answer a query.
pub(crate) async fn publish_changes<M: Followed>(
    pool: &PgPool,
    followers: &Followers,
    published: &PublishedPositions,
    applied: PublishedPositions,
) -> sqlx::Result<PublishedPositions> {
    // Whoever begins to follow after this line reads for themselves what was applied before it.
    if followers.is_empty() {
        return Ok(applied);
    }
    let (changed, positions) = M::changed(pool, published).await?;
    let mut followed = followers.retain_followed(changed);
    if positions.timeline != published.timeline {
        // Of what the log has lost, no row tells that it has changed.
        followed = followers.followed();
    }
    if !followed.is_empty() {
        followers.publish_read(M::documents(pool, &followed).await?);
    }
    Ok(positions)
}

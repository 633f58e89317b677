//! Reads which auctions have changed, and their documents. Each row tells the position of its last
//! change, so nothing depends on notifications, which could be lost.

use sqlx::PgPool;
use uuid::Uuid;

use super::update::LiveUpdate;

/// For each shard of the auctions, in order: the position up to which changes have been published.
pub(crate) type PublishedPositions = Vec<i64>;

/// The auctions that changed after the `published` positions, and the positions up to which these are
/// all.
///
/// # Errors
/// If Postgres does not answer the query.
pub(crate) async fn changed_auctions(
    pool: &PgPool,
    published: &PublishedPositions,
) -> sqlx::Result<(Vec<Uuid>, PublishedPositions)> {
    let shards = sqlx::query!(
        r#"
        select s.position as "position!",
               array(
                   select r.id
                     from auction_rows r
                    where s.position > coalesce(p.position, 0)
                      and r.generation = s.generation
                      and r.position > coalesce(p.position, 0)
                      and shard_of(r.id, s.shards) = s.shard
               ) as "changed!"
          from serving_shards s
          left join unnest($1::bigint[]) with ordinality as p (position, number)
            on p.number = s.shard + 1
         where s.read_model = 'auction'
         order by s.shard
        "#,
        published,
    )
    .fetch_all(pool)
    .await?;
    let positions = shards.iter().map(|shard| shard.position).collect();
    let changed = shards.into_iter().flat_map(|shard| shard.changed);
    Ok((changed.collect(), positions))
}

/// The documents of these auctions as they are now.
///
/// # Errors
/// If Postgres does not answer the query.
pub(crate) async fn live_updates(
    pool: &PgPool,
    auctions: &[Uuid],
) -> sqlx::Result<Vec<(Uuid, LiveUpdate)>> {
    let rows = sqlx::query!(
        r#"
        select r.id as "id!",
               s.timeline as "timeline!",
               r.position as "position!",
               r.doc::text as "document!"
          from serving s
         cross join unnest($1::uuid[]) as changed (id)
         cross join lateral (
               select *
                 from auction_rows
                where auction_rows.generation = s.generation
                  and auction_rows.id = changed.id
                limit 1
         ) as r
         where s.read_model = 'auction'
        "#,
        auctions,
    )
    .fetch_all(pool)
    .await?;
    let updates = rows.into_iter().map(|row| {
        let update = LiveUpdate {
            timeline: row.timeline,
            position: row.position,
            document: row.document,
            // What has changed has no event that waits.
            parked_at: None,
        };
        (row.id, update)
    });
    Ok(updates.collect())
}

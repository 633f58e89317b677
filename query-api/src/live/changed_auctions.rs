//! Reads which auctions have changed, and their documents. Each row tells the position of its last
//! change, so nothing depends on notifications, which could be lost.

use sqlx::PgPool;
use uuid::Uuid;

use super::update::LiveUpdate;
use crate::freshness::ShardStatus;

/// The positions up to which changes have been published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublishedPositions {
    /// The timeline of the log.
    pub(crate) timeline: i32,
    /// The generation of the auctions that was read.
    generation: i32,
    /// The position of each of its shards, in order.
    positions: Vec<i64>,
}

impl PublishedPositions {
    /// The positions up to which these shards of the auctions, in order, have applied the log.
    pub(crate) fn of<'a>(shards: impl Iterator<Item = &'a ShardStatus>) -> Self {
        let mut published = Self::default();
        for shard in shards {
            published.timeline = shard.timeline;
            published.generation = shard.generation;
            published.positions.push(shard.position);
        }
        published
    }
}

/// The auctions that changed after the `published` positions, and the positions up to which these are
/// all. If another generation serves since, its shards are others, and it is read from the lowest of them.
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
                    where s.position > p.position
                      and r.generation = s.generation
                      and r.position > p.position
                      and shard_of(r.id, s.shards) = s.shard
               ) as "changed!",
               s.generation as "generation!",
               s.timeline as "timeline!"
          from serving_shards s
         cross join lateral (
               select coalesce(
                          case when s.generation = $2 then ($1::bigint[])[s.shard + 1] end,
                          (select min(position) from unnest($1::bigint[]) as published (position)),
                          0
                      ) as position
               ) p
         where s.read_model = 'auction'
         order by s.shard
        "#,
        &published.positions,
        published.generation,
    )
    .fetch_all(pool)
    .await?;
    let published = PublishedPositions {
        timeline: shards.first().map_or(0, |shard| shard.timeline),
        generation: shards.first().map_or(0, |shard| shard.generation),
        positions: shards.iter().map(|shard| shard.position).collect(),
    };
    let changed = shards.into_iter().flat_map(|shard| shard.changed);
    Ok((changed.collect(), published))
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

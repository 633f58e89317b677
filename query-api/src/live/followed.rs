//! The read models whose documents are followed, and the statements that read what changes. Each row tells the position of its
//! last change, so nothing depends on notifications, which could be lost. The table has an index by it.

use sqlx::PgPool;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::messaging::inbox::Inbox;
use uuid::Uuid;

use super::LiveUpdate;
use super::positions::PublishedPositions;
use crate::freshness::Fetched;

/// A read model whose documents are followed.
pub(crate) trait Followed: ReadModel {
    /// The documents that changed after the `published` positions, and the positions up to which these are all. If another
    /// generation serves since, its shards are others, and it is read from the lowest of them.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    fn changed(
        pool: &PgPool,
        published: &PublishedPositions,
    ) -> impl Future<Output = sqlx::Result<(Vec<Uuid>, PublishedPositions)>> + Send;

    /// Each of these documents as it is now, with what the same statement saw of its shard. One that does not exist has no item.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    fn documents(
        pool: &PgPool,
        ids: &[Uuid],
    ) -> impl Future<Output = sqlx::Result<Vec<(Uuid, Fetched<LiveUpdate>)>>> + Send;
}

/// A read model with its name and its table: `followed!(Auction, "auction", "auction_rows")`.
macro_rules! followed {
    ($read_model:ty, $name:literal, $rows:literal) => {
        impl Followed for $read_model {
            async fn changed(
                pool: &PgPool,
                published: &PublishedPositions,
            ) -> sqlx::Result<(Vec<Uuid>, PublishedPositions)> {
                let shards = sqlx::query!(
                    r#"
                    select s.position as "position!",
                           array(
                               select r.id
                                 from "# + $rows + r#" r
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
                     where s.read_model = '"# + $name + r#"'
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

            async fn documents(
                pool: &PgPool,
                ids: &[Uuid],
            ) -> sqlx::Result<Vec<(Uuid, Fetched<LiveUpdate>)>> {
                let rows = sqlx::query!(
                    r#"
                    select asked.id as "id!",
                           s.timeline as "timeline!",
                           s.head as "head!",
                           s.position as "position!",
                           s.blocked_at,
                           least(p.parked_at, s.stream_parked_at) as parked_at,
                           p.parked_at as row_parked_at,
                           r.position as "changed_at?",
                           r.doc::text as "document?"
                      from serving_shards s
                      join unnest($1::uuid[]) as asked (id)
                        on s.shard = shard_of(asked.id, s.shards)
                     cross join lateral (
                           select (select found.position
                                     from parked found
                                    where found.read_model = s.read_model
                                      and found.generation = s.generation
                                      and found.id = asked.id) as parked_at
                     ) as p
                      left join lateral (
                           select *
                             from "# + $rows + r#" found
                            where found.generation = s.generation
                              and found.id = asked.id
                            limit 1
                     ) as r
                        on true
                     where s.read_model = '"# + $name + r#"'
                    "#,
                    ids,
                )
                .fetch_all(pool)
                .await?;
                let fetched = rows.into_iter().map(|row| {
                    let found = row.changed_at.zip(row.document);
                    let update = found.map(|(position, document)| LiveUpdate {
                        timeline: row.timeline,
                        position,
                        document,
                        parked_at: row.parked_at,
                    });
                    let fetched = Fetched {
                        timeline: row.timeline,
                        head: row.head,
                        position: row.position,
                        blocked_at: row.blocked_at,
                        parked_at: row.parked_at,
                        row_parked_at: row.row_parked_at,
                        items: update.into_iter().collect(),
                    };
                    (row.id, fetched)
                });
                Ok(fetched.collect())
            }
        }
    };
}

followed!(Auction, "auction", "auction_rows");
followed!(Inbox, "inbox", "inbox_rows");

//! The statement that reads the documents of live updates.

use sqlx::PgPool;
use uuid::Uuid;

use super::LiveUpdate;
use crate::freshness::Fetched;

/// The document of each of these auctions as it is now, with what the same statement saw of its shard. One that does not
/// exist has no item.
///
/// # Errors
/// If Postgres does not answer the query.
pub(super) async fn documents(
    pool: &PgPool,
    auctions: &[Uuid],
) -> sqlx::Result<Vec<(Uuid, Fetched<LiveUpdate>)>> {
    let rows = sqlx::query!(
        r#"
        select asked.id as "id!",
               s.timeline as "timeline!",
               s.head as "head!",
               s.position as "position!",
               s.blocked_at,
               (select p.position
                  from parked p
                 where p.read_model = s.read_model
                   and p.generation = s.generation
                   and p.id = asked.id) as parked_at,
               r.position as "changed_at?",
               r.doc::text as "document?"
          from serving_shards s
          join unnest($1::uuid[]) as asked (id)
            on s.shard = shard_of(asked.id, s.shards)
          left join lateral (
               select *
                 from auction_rows
                where auction_rows.generation = s.generation
                  and auction_rows.id = asked.id
                limit 1
         ) as r
            on true
         where s.read_model = 'auction'
        "#,
        auctions,
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
            is_one_row: true,
            items: update.into_iter().collect(),
        };
        (row.id, fetched)
    });
    Ok(fetched.collect())
}

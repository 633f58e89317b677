//! Makes a log long in a short time: two connections write auctions with their bids straight into
//! the table, and then the head is moved as an append moves it.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use tidemark_events::market::auction;
use tidemark_events::samples::euro_cents;
use tidemark_events::{AuctionId, Event, samples};
use tidemark_tests::{Database, from_environment};

use super::market::{STARTING_PRICE, metadata, opened};

/// Events of each auction.
pub(crate) const EVENTS_PER_AUCTION: i64 = 100;
/// Auctions whose events alternate.
const OPEN_AUCTIONS: i64 = 1_000;
/// Events that one statement inserts.
const CHUNK: i64 = 50_000;
/// A number that stands for the price in the JSON of a bid, to be replaced.
const PRICE: i64 = 424_242;

/// Makes the log end at position `to`, and checks that it has no gap.
pub(crate) async fn fill(database: &Database, to: i64) {
    let (head, at): (i64, DateTime<Utc>) =
        sqlx::query_as("select position, greatest(recorded_at, clock_timestamp()) from log_head")
            .fetch_one(&database.pool)
            .await
            .unwrap();
    let half = head + (to - head) / 2;
    tokio::join!(
        write(database, head, (head, half), at),
        write(database, head, (half, to), at)
    );
    sqlx::query("update log_head set position = $1, recorded_at = $2 where position = $3")
        .bind(to)
        .bind(at)
        .bind(head)
        .execute(&database.pool)
        .await
        .unwrap();
    let (events, streams, versions): (i64, i64, i64) = sqlx::query_as(
        "select sum(events)::bigint, count(*), sum(last)::bigint
           from (select count(*) as events, max(version) as last from events group by stream_id) as s",
    )
    .fetch_one(&database.pool)
    .await
    .unwrap();
    assert_eq!(events, to, "the log has a gap, in {streams} streams");
    assert_eq!(events, versions, "a stream has a gap");
    for tidy in ["vacuum (analyze) events", "checkpoint"] {
        sqlx::query(tidy).execute(&database.pool).await.unwrap();
    }
}

/// Inserts the events above `from` up to `to` into a log whose last position was `head`.
async fn write(database: &Database, head: i64, (from, to): (i64, i64), at: DateTime<Utc>) {
    let url = database.url_like(&from_environment("TIDEMARK_TEST_DATABASE_URL"));
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let [scheduled, opened, bid] = templates(at).map(|event| event.encode().unwrap());
    let metadata = serde_json::to_string(&metadata(samples::BIDDER)).unwrap();
    let mut from = from;
    while from < to {
        let end = to.min(from + CHUNK);
        sqlx::query(INSERT)
            .bind(head)
            .bind(from + 1)
            .bind(end)
            .bind(OPEN_AUCTIONS)
            .bind(EVENTS_PER_AUCTION)
            .bind(samples::AUCTION.0.to_string())
            .bind(PRICE.to_string())
            .bind(STARTING_PRICE)
            .bind(&scheduled.data)
            .bind(&opened.data)
            .bind(&bid.data)
            .bind(&metadata)
            .bind(at)
            .execute(&mut connection)
            .await
            .unwrap();
        from = end;
    }
}

/// The first two events of an auction, and a bid.
fn templates(at: DateTime<Utc>) -> [Event; 3] {
    let mut first = opened(AuctionId(samples::AUCTION.0), at).into_iter();
    let bid = auction::Event::BidPlaced {
        auction_id: samples::AUCTION,
        product_id: samples::PRODUCT,
        seller_id: samples::SELLER,
        bidder_id: samples::BIDDER,
        amount: euro_cents(PRICE).into(),
        reserve_met: true,
        outbid_id: None,
    };
    [first.next().unwrap(), first.next().unwrap(), bid.into()]
}

/// Ids increase with the position, as those of UUID version 7 do.
const INSERT: &str = r"
with numbered as (
    select position,
           (position - $1 - 1) / ($4 * $5) * $4 + (position - $1 - 1) % $4 as number,
           (position - $1 - 1) % ($4 * $5) / $4 + 1 as version
      from generate_series($2, $3) as position
), named as (
    select position,
           version,
           lpad(to_hex(position), 12, '0') || '700080' || right(md5(position::text), 14) as event_id,
           lpad(to_hex($1 + number), 12, '0') || '7000a0' || right(md5(number::text), 14) as stream_id
      from numbered
)
insert into events
select position,
       event_id::uuid,
       stream_id::uuid,
       version,
       'auction',
       case version when 1 then 'auction.scheduled' when 2 then 'auction.opened' else 'auction.bid_placed' end,
       1,
       replace(
           replace(case version when 1 then $9 when 2 then $10 else $11 end, $6, stream_id::uuid::text),
           $7,
           ($8 + version)::text
       )::json,
       $12::json,
       $13
  from named
";

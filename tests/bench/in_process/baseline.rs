//! What Postgres does by itself with the same rows: the baselines that the executor is measured
//! against.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use sqlx::{Connection, PgConnection};
use tidemark_event_store::{
    AppendOutcome, Appender, Conditions, Group, NewEvent, NewIdempotencyRecord, RecordId,
};
use tidemark_events::market::auction;
use tidemark_events::samples::euro_cents;
use tidemark_events::{Event, samples};
use tidemark_platform::ids::new_id;
use uuid::Uuid;

use super::Market;
use super::market::{AUCTIONS, metadata};
use crate::load::{Measured, histogram, micros};

/// Rows of one `COPY`.
const COPY_ROWS: usize = 10_000;

/// As many streams as the executor's commands write to, one after the other as there. The streams
/// decide where in an index a row belongs, and so what it costs.
struct Streams {
    ids: Vec<Uuid>,
    next: usize,
}

impl Streams {
    fn new() -> Self {
        Self {
            ids: (0..AUCTIONS).map(|_| new_id()).collect(),
            next: 0,
        }
    }

    /// The next stream, and its next version.
    fn next(&mut self) -> (Uuid, i64) {
        let id = self.ids[self.next % self.ids.len()];
        let version = 1 + self.next / self.ids.len();
        self.next += 1;
        (id, i64::try_from(version).unwrap())
    }
}

/// A bid as a group of its own, on a stream that nobody else writes to.
fn bid(stream_id: Uuid, version: i64, bidder: Uuid, is_keyed: bool) -> Group {
    let event = Event::from(auction::Event::BidPlaced {
        auction_id: samples::AUCTION,
        product_id: samples::PRODUCT,
        seller_id: samples::SELLER,
        bidder_id: samples::BIDDER,
        amount: euro_cents(1_000).into(),
        reserve_met: true,
        outbid_id: None,
    });
    let record = is_keyed.then(|| NewIdempotencyRecord {
        id: RecordId::of(&format!("user:{bidder}"), &new_id().to_string()),
        service_key: None,
        request_hash: vec![7; 32],
        status: Some(201),
        stream_id,
        version,
        last_event: Some(0),
    });
    Group {
        events: vec![NewEvent {
            event_id: new_id(),
            stream_id,
            version,
            aggregate: "auction",
            encoded: event.encode().unwrap(),
            metadata: serde_json::to_string(&metadata(samples::BIDDER)).unwrap(),
        }],
        // A decision on a bid rests on the auction and on the bidder.
        streams: vec![(stream_id, version - 1), (bidder, 1)],
        idempotency_records: record.into_iter().collect(),
        ..Group::default()
    }
}

/// Events per second through the append function, one call after the other. The time that making the
/// events takes does not count, as with `COPY`.
pub(crate) async fn append_function(
    market: &Market,
    batch: usize,
    is_keyed: bool,
    duration: Duration,
) -> f64 {
    let appender = Appender::register(&market.pool, new_id()).await.unwrap();
    let mut streams = Streams::new();
    let from = Instant::now() + duration / 4;
    let until = from + duration;
    let (mut events, mut busy) = (0, Duration::ZERO);
    for number in 1.. {
        let groups: Vec<_> = (0..batch)
            .map(|place| {
                let (stream_id, version) = streams.next();
                let bidder = market.bidders[place % market.bidders.len()].0;
                bid(stream_id, version, bidder, is_keyed)
            })
            .collect();
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        let outcome = appender
            .append(number, Conditions::default(), groups)
            .await
            .unwrap();
        assert!(matches!(outcome, AppendOutcome::Appended(done) if done.conflicts.is_empty()));
        if sent >= from {
            events += batch;
            busy += sent.elapsed();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = events as f64 / busy.as_secs_f64();
    per_second
}

/// Commands per second, each a transaction of its own, over as many connections as the executor may
/// use.
pub(crate) async fn transaction_per_command(
    market: &Arc<Market>,
    clients: usize,
    duration: Duration,
) -> Measured {
    let from = Instant::now() + duration / 4;
    let until = from + duration;
    let tasks = (0..clients).map(|client| {
        let market = Arc::clone(market);
        tokio::spawn(async move {
            let appender = Appender::register(&market.pool, new_id()).await.unwrap();
            let (stream, bidder) = (new_id(), market.bidders[client % market.bidders.len()].0);
            let mut latencies = histogram();
            for number in 1.. {
                let sent = Instant::now();
                if sent >= until {
                    break;
                }
                let group = bid(stream, number, bidder, false);
                let outcome = appender.append(number, Conditions::default(), vec![group]);
                assert!(
                    matches!(outcome.await.unwrap(), AppendOutcome::Appended(done) if done.conflicts.is_empty())
                );
                if sent >= from {
                    latencies.saturating_record(micros(sent.elapsed()));
                }
            }
            latencies
        })
    });
    let mut latencies = histogram();
    for task in tasks.collect::<Vec<_>>() {
        latencies.add(task.await.unwrap()).unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = latencies.len() as f64 / duration.as_secs_f64();
    Measured {
        per_second,
        latencies,
        failed: 0,
    }
}

/// `COPY` of events and idempotency records into tables like the log's own, with their indexes.
pub(crate) struct Copying {
    connection: PgConnection,
    streams: Streams,
    position: i64,
}

impl Copying {
    /// Makes the tables. They are not vacuumed, which would take CPU from what is measured beside them.
    pub(crate) async fn begin(market: &Market) -> Self {
        let url = market.database.url_like(&tidemark_tests::from_environment(
            "TIDEMARK_TEST_DATABASE_URL",
        ));
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let create = "create table copied_events (like events including all) with (autovacuum_enabled = off);
                      create table copied_records (like idempotency_records including all)
                        with (autovacuum_enabled = off)";
        sqlx::raw_sql(create)
            .execute(&mut connection)
            .await
            .unwrap();
        Self {
            connection,
            streams: Streams::new(),
            position: 0,
        }
    }

    /// Events per second, into the tables as they are by now.
    pub(crate) async fn measure(&mut self, market: &Market, duration: Duration) -> f64 {
        let (mut events, mut busy) = (0, Duration::ZERO);
        while busy < duration {
            let (event_rows, record_rows) =
                copy_rows(&mut self.position, &mut self.streams, market);
            let started = Instant::now();
            let mut transaction = self.connection.begin().await.unwrap();
            for (table, rows) in [("events", event_rows), ("records", record_rows)] {
                let statement = format!("copy copied_{table} from stdin");
                let mut copy = transaction.copy_in_raw(&statement).await.unwrap();
                copy.send(rows.as_bytes()).await.unwrap();
                copy.finish().await.unwrap();
            }
            transaction.commit().await.unwrap();
            busy += started.elapsed();
            events += COPY_ROWS;
        }
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        let per_second = events as f64 / busy.as_secs_f64();
        per_second
    }

    /// Drops the tables.
    pub(crate) async fn end(mut self) {
        sqlx::raw_sql("drop table copied_events, copied_records")
            .execute(&mut self.connection)
            .await
            .unwrap();
    }
}

fn copy_rows(position: &mut i64, streams: &mut Streams, market: &Market) -> (String, String) {
    let (mut events, mut records) = (String::new(), String::new());
    for row in 0..COPY_ROWS {
        *position += 1;
        let user = market.bidders[row % market.bidders.len()].0;
        let (stream_id, version) = streams.next();
        let group = bid(stream_id, version, user, true);
        let (event, record) = (&group.events[0], &group.idempotency_records[0]);
        let data = event.encoded.data.replace('\\', "\\\\");
        writeln!(
            events,
            "{position}\t{}\t{stream_id}\t{version}\tauction\tauction.bid_placed\t1\t{data}\t{}\t2026-01-01",
            event.event_id, event.metadata,
        )
        .unwrap();
        writeln!(
            records,
            "{}\t\\\\x{}\t201\t{stream_id}\t{version}\t{position}\t2026-01-01\t\\N\t\\N",
            record.id.0,
            "07".repeat(32),
        )
        .unwrap();
    }
    (events, records)
}

/// The latencies of a single `INSERT` of an event into a table with the columns and indexes of the log, and
/// of its commit, in microseconds.
pub(crate) async fn insert(market: &Market, duration: Duration) -> Histogram<u64> {
    let url = market.database.url_like(&tidemark_tests::from_environment(
        "TIDEMARK_TEST_DATABASE_URL",
    ));
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("drop table if exists bare; create table bare (like events including all)")
        .execute(&mut connection)
        .await
        .unwrap();
    let until = Instant::now() + duration;
    let (mut streams, mut latencies) = (Streams::new(), histogram());
    for position in 1_i64.. {
        let (stream_id, version) = streams.next();
        let event = bid(stream_id, version, new_id(), false)
            .events
            .swap_remove(0);
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        sqlx::query(
            "insert into bare
             values ($1, $2, $3, $4, $5, $6, $7, $8::json, $9::json, clock_timestamp())",
        )
        .bind(position)
        .bind(event.event_id)
        .bind(event.stream_id)
        .bind(event.version)
        .bind(event.aggregate)
        .bind(event.encoded.event_type)
        .bind(event.encoded.schema_version)
        .bind(event.encoded.data)
        .bind(event.metadata)
        .execute(&mut connection)
        .await
        .unwrap();
        latencies.saturating_record(micros(sent.elapsed()));
    }
    latencies
}

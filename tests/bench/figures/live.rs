//! Live updates of one auction to very many clients, while it takes bids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use hdrhistogram::Histogram;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::StatusCode;
use hyper::body::Incoming;
use serde_json::json;
use tidemark_tests::Deployment;
use tidemark_tests::market::INCREMENT;
use tokio::task::JoinSet;

use crate::load::{histogram, micros};
use crate::over_http::Connection;
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 1;

/// Clients that follow the auction.
const CLIENTS: usize = 2_000;
/// Bids a second.
const RATE: u32 = 50;
/// Clients that connect at the same time.
const CONCURRENT: usize = 64;
/// The most that a state may take from its bid to a client, in milliseconds.
const P99_MS: f64 = 200.0;

/// When the bid was due that led to each version of the auction.
type Due = Arc<Mutex<HashMap<i64, Instant>>>;

/// Measures how long a bid takes until a client is sent the state after it.
pub(crate) async fn measure(
    deployment: &Deployment,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("live updates of one auction");
    let app = &deployment.app;
    let (market, bidder) = (app.market().await, app.user().await);
    let auction = market.auction(json!({})).await;
    let most = (2 * CLIENTS).to_string();
    let query_api = deployment
        .another_query_api(&[
            ("TIDEMARK_HTTP__CONNECTIONS_PER_ADDRESS_MAX", most.clone()),
            ("TIDEMARK_QUERY__SSE_CLIENTS_PER_ADDRESS_MAX", most),
        ])
        .await;
    let path = format!("/v1/auctions/{auction}/live");
    let clients: Vec<_> = stream::iter(0..CLIENTS)
        .map(|_| open(&query_api.url, &path))
        .buffer_unordered(CONCURRENT)
        .collect()
        .await;
    let due = Due::default();
    let mut watching = JoinSet::new();
    for (connection, updates) in clients {
        watching.spawn(watch(connection, updates, Arc::clone(&due)));
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE);
    let until = Instant::now() + duration;
    let mut bids = 0;
    while Instant::now() < until {
        let tick = ticks.tick().await.into_std();
        // A bid is placed at a version that is known before, since nobody else changes the auction.
        due.lock().unwrap().insert(version_after(bids), tick);
        bidder.bid(auction, 1_000 + bids * INCREMENT).await.ok();
        bids += 1;
    }
    drop(query_api);
    let mut latencies = histogram();
    for of_client in watching.join_all().await {
        latencies.add(of_client).unwrap();
    }
    let name = format!("live updates of one auction to {CLIENTS} clients, {RATE} bids/s");
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = latencies.len() as f64 / duration.as_secs_f64();
    table.add(Figure::new(name, per_second, "states/s").with_latencies(&latencies));
    let p99 = Figure::new(
        "p99 from a bid until a client was sent the state after it",
        quantile_ms(&latencies, 0.99),
        "ms",
    );
    table.add(p99.target(Target::AtMost(P99_MS)));
}

/// The version of an auction that was scheduled and opened after one more than so many bids.
const fn version_after(bids: i64) -> i64 {
    3 + bids
}

async fn open(url: &str, path: &str) -> (Connection, Response<Incoming>) {
    let mut connection = Connection::open(url).await;
    let mut updates = connection.stream(path).await;
    assert_eq!(updates.status(), StatusCode::OK);
    updates.frame().await.unwrap().unwrap();
    (connection, updates)
}

/// The latencies of all states that a client is sent until the stream ends.
async fn watch(_: Connection, mut updates: Response<Incoming>, due: Due) -> Histogram<u64> {
    let mut latencies = histogram();
    while let Some(Ok(frame)) = updates.frame().await {
        let now = Instant::now();
        let text = frame.into_data().unwrap_or_default();
        let Some(version) = version(&text) else {
            continue;
        };
        if let Some(due) = due.lock().unwrap().get(&version) {
            latencies.saturating_record(micros(now - *due));
        }
    }
    latencies
}

/// The version of the document in an update, which is its last field; none in a comment. To parse 100,000 documents a second
/// would be measured too.
fn version(update: &[u8]) -> Option<i64> {
    let (_, rest) = std::str::from_utf8(update)
        .ok()?
        .rsplit_once("\"version\":")?;
    rest.split('}').next()?.parse().ok()
}

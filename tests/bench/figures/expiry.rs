//! Whether commands notice that idempotency records are removed, when very many have expired.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use tidemark_command_api::executor::remove_expired;
use tidemark_event_store::TimedPool;

use crate::in_process::clients::{open_loop, warm_up};
use crate::in_process::{AUCTIONS, Market};
use crate::load::Measured;
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 3;

/// Clients, and the keyed commands that arrive in a second.
const CLIENTS: usize = 64;
const RATE: f64 = 900.0;
/// For how many times the duration of a figure the removal is watched: it works in steps, with pauses.
const WATCHED: u32 = 4;

/// Measures keyed commands without and with the removal of so many expired records.
pub(crate) async fn measure(
    records: i64,
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    progress.step("filling the idempotency records");
    let market = Arc::new(Market::create().await);
    warm_up(&market).await;
    fill(&market.database.pool, records).await;
    let duration = duration * WATCHED;
    let commands = || {
        open_loop(&market, CLIENTS, RATE, duration, |market, client, sent| {
            market.bid((client + sent * CLIENTS) % AUCTIONS, client, true)
        })
    };
    progress.step("keyed commands alone");
    let alone = commands().await;
    progress.step("keyed commands while records are removed");
    let config = &market.config;
    let pool = TimedPool::new(market.pool.clone(), config.database.response_timeout());
    let removal = tokio::spawn(remove_expired(pool, config.executor.clone()));
    let beside = commands().await;
    let left = count_expired(&market.database.pool).await;
    removal.abort();

    let p99 = |name, measured: &Measured| {
        let p99 = quantile_ms(&measured.latencies, 0.99);
        Figure::new(name, p99, "ms").with_latencies(&measured.latencies)
    };
    let name = format!("p99 of keyed commands, arriving at {RATE:.0}/s");
    let alone = table.add(p99(name, &alone)).clone();
    let name = format!("the same while {records} expired records are removed");
    table.add(
        p99(name, &beside)
            .against(&alone)
            .target(Target::AtMost(2.0)),
    );
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let removed = (records - left) as f64 / (duration + duration / 4).as_secs_f64();
    let figure = Figure::new("expired records removed meanwhile", removed, "records/s");
    table.add(figure.target(Target::AtLeast(RATE)));
}

/// Inserts records of commands that came two days ago.
async fn fill(pool: &PgPool, records: i64) {
    sqlx::query(
        "insert into idempotency_records
         select gen_random_uuid(), sha256(n::text::bytea), 201, gen_random_uuid(), 1, n,
                clock_timestamp() - interval '48 hours' + n * interval '1 ms'
           from generate_series(1, $1) as numbers (n)",
    )
    .bind(records)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("checkpoint").execute(pool).await.unwrap();
}

async fn count_expired(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select count(*) from idempotency_records where recorded_at < clock_timestamp() - interval '24 hours'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

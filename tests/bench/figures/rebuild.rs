//! Building a read model: how many events per second a projector's workers fold from the first event
//! on, against how many Postgres copies out of the table.

use std::time::Instant;

use futures::TryStreamExt;
use sqlx::{Connection, PgConnection};
use tidemark_projector::catch_up;
use tidemark_read_models::market::auction::Auction;
use tidemark_tests::{Database, Settings, from_environment};

use crate::in_process::long_log::{EVENTS_PER_AUCTION, fill};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 3;

/// Measures both on a log of this many events.
pub(crate) async fn measure(events: i64, progress: &Progress, table: &mut Table) {
    progress.step("filling a log to rebuild from");
    let database = Database::fresh().await;
    fill(&database, events).await;
    progress.step("COPY out of the log");
    let copied = copy(&database).await;
    let copied = table.add(Figure::new(
        "COPY of events out of the log",
        copied,
        "events/s",
    ));

    progress.step("rebuilding a read model");
    let rebuilt = rebuild(&database, events).await;
    let figure = Figure::new("events folded into a read model", rebuilt, "events/s");
    let figure = figure.against(copied).target(Target::AtLeast(0.40));
    table.add(figure);
}

/// Events per second that `COPY` reads.
async fn copy(database: &Database) -> f64 {
    let url = database.url_like(&from_environment("TIDEMARK_TEST_DATABASE_URL"));
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let started = Instant::now();
    let mut rows = connection
        .copy_out_raw("copy events to stdout")
        .await
        .unwrap();
    let mut events = 0;
    while rows.try_next().await.unwrap().is_some() {
        events += 1;
    }
    f64::from(events) / started.elapsed().as_secs_f64()
}

/// Events per second that are folded.
async fn rebuild(database: &Database, events: i64) -> f64 {
    let config = Settings::in_production(database).config();
    let started = Instant::now();
    catch_up::<Auction>(&config, events).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let rows: i64 = sqlx::query_scalar("select count(*) from auction_rows")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(
        rows,
        events / EVENTS_PER_AUCTION,
        "auctions are missing in the read model"
    );
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = events as f64 / seconds;
    per_second
}

//! Building read models, one alone and all at once: how many events per second a projector's workers fold from the first event
//! on, against how many Postgres copies out of the table, and how often the log is read.

use std::time::Instant;

use futures::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection};
use tidemark_projector::{catch_up, catch_up_all};
use tidemark_read_models::folds;
use tidemark_read_models::market::auction::Auction;
use tidemark_tests::{Database, Settings, eventually, from_environment};

use crate::in_process::long_log::{EVENTS_PER_AUCTION, fill};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 4;
/// How much more of the log may be read for all read models at once than for one.
const READ_MAX: f64 = 1.1;

/// Measures all of it on a log of this many events.
pub(crate) async fn measure(events: i64, progress: &Progress, table: &mut Table) {
    progress.step("filling a log to rebuild from");
    let database = Database::fresh().await;
    fill(&database, events).await;
    progress.step("COPY out of the log");
    let copied = copy(&database).await;
    let copied = Figure::new("COPY of events out of the log", copied, "events/s");
    let copied = table.add(copied).clone();

    progress.step("rebuilding a read model");
    let config = Settings::in_production(&database).config();
    let read_before = read_events(&database).await;
    let started = Instant::now();
    catch_up::<Auction>(&config, events).await.unwrap();
    let rebuilt = per_second(events, started);
    assert_complete(&database, events).await;
    let read_for_one = read_events(&database).await - read_before;
    let figure = Figure::new("events folded into a read model", rebuilt, "events/s");
    let figure = figure.against(&copied).target(Target::AtLeast(0.40));
    table.add(figure);

    progress.step("rebuilding all read models at once");
    begin_anew(&database).await;
    let read_before = read_events(&database).await;
    let started = Instant::now();
    catch_up_all(&config, events).await.unwrap();
    let rebuilt = per_second(events, started);
    assert_complete(&database, events).await;
    let read_for_all = read_events(&database).await - read_before;
    let name = format!(
        "events folded into all {} read models at once",
        folds().len()
    );
    let figure = Figure::new(name, rebuilt, "events/s");
    table.add(figure.against(&copied).target(Target::AtLeast(0.40)));
    let name = "events read of the log for all of them";
    let read_for_one = Figure::new("events read of the log for one", read_for_one, "events");
    let read_for_all = Figure::new(name, read_for_all, "events").against(&read_for_one);
    table.add(read_for_one);
    table.add(read_for_all.target(Target::AtMost(READ_MAX)));
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

/// Fails unless all auctions are there.
async fn assert_complete(database: &Database, events: i64) {
    let rows: i64 = sqlx::query_scalar("select count(*) from auction_rows")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    let expected = events / EVENTS_PER_AUCTION;
    assert_eq!(rows, expected, "auctions are missing in the read model");
}

/// Lets all read models be built from the first event on, as generations that do not serve yet: these take turns, so that they
/// read the same part of the log.
async fn begin_anew(database: &Database) {
    let begin = "truncate auction_rows;
                 update checkpoints set position = 0, event_id = null where read_model = 'auction';
                 update generations set state = 'building'";
    let result = database.pool.execute(sqlx::raw_sql(begin)).await;
    result.unwrap();
}

/// How many events Postgres has read through an index of the log, in whatever a page of it takes. A connection reports that
/// when it is closed.
async fn read_events(database: &Database) -> f64 {
    eventually("what was read of the log to be counted", || async {
        let read: Option<f64> = sqlx::query_scalar(
            "select idx_tup_fetch::float8
               from pg_stat_user_tables
              where relname = 'events'
                and not exists (select from pg_stat_activity where datname = current_database() and usename = 'tidemark_project')",
        )
        .fetch_optional(&database.pool)
        .await
        .unwrap();
        read
    })
    .await
}

/// Events per second since then.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
fn per_second(events: i64, started: Instant) -> f64 {
    events as f64 / started.elapsed().as_secs_f64()
}

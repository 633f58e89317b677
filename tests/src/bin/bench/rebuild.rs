//! A read model built from the log: the events that a projector folds from zero, against those that
//! Postgres copies out of the table.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use sqlx::{Connection, PgConnection, PgPool};
use tidemark_tests::{
    Database, Settings,
    deployment::{listen_anywhere, projector},
    from_environment,
};

use crate::{
    fill::{EVENTS, fill},
    progress::Progress,
    table::{Figure, Table},
};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 3;

/// What is built.
const READ_MODEL: &str = "auction";
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(5);

/// Events a second, of a log of so many.
pub(crate) async fn measure(events: i64, progress: &Progress, table: &mut Table) {
    progress.step("filling a log to rebuild from");
    let database = Database::fresh().await;
    fill(&database, events).await;
    progress.step("COPY out of the log");
    let copied = copy(&database).await;
    let copied = table.add(Figure::new(
        "COPY of events out of the table",
        copied,
        "events/s",
    ));

    progress.step("rebuilding a read model");
    let rebuilt = rebuild(&database, events).await;
    let figure = Figure::new("events folded into a read model", rebuilt, "events/s");
    let figure = figure.against(copied, Some(0.40));
    table.add(figure);
}

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

/// By a projector that has nothing else to do, from its first look at the log to its end.
async fn rebuild(database: &Database, events: i64) -> f64 {
    let pool = &database.pool;
    for others in [
        "update checkpoints set position = $1 where read_model <> $2",
        "update reactors set position = $1 where name <> $2",
    ] {
        let done = sqlx::query(others).bind(events).bind(READ_MODEL);
        done.execute(pool).await.unwrap();
    }
    let mut settings = Settings::in_production(database);
    settings.set("TIDEMARK_PROJECTION__FEED", "log");
    listen_anywhere(&mut settings, "PROJECTOR");
    let _projector = projector(&settings).await;
    let first = reached(pool, 1).await;
    let started = Instant::now();
    let last = reached(pool, events).await;
    let seconds = started.elapsed().as_secs_f64();
    let rows: i64 = sqlx::query_scalar("select count(*) from auction_rows")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(rows, events / EVENTS, "an auction is missing");
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let per_second = (last - first) as f64 / seconds;
    per_second
}

/// Waits until the read model has come as far as that.
async fn reached(pool: &PgPool, position: i64) -> i64 {
    loop {
        let now: i64 =
            sqlx::query_scalar("select min(position) from checkpoints where read_model = $1")
                .bind(READ_MODEL)
                .fetch_one(pool)
                .await
                .unwrap();
        if now >= position {
            return now;
        }
        tokio::time::sleep(LOOK).await;
    }
}

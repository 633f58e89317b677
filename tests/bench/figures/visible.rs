//! How soon queries show what commands did, and how many transactions that takes: with few read models, with all, with many, and
//! while one of the many is slow or fails.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgPool};
use tidemark_tests::Deployment;

use crate::load::{Measured, at_rate};
use crate::over_http::{Market, copy_read_models, follow_all, follow_only};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target, quantile_ms};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 5;

/// Commands a second.
const RATE: f64 = 1_000.0;
/// The read models that are followed where there are few: those that there were when the target was set.
const FEW: [&str; 6] = [
    "auction", "bid", "category", "history", "product", "profile",
];
/// How many read models, copies included, are followed where there are many.
const MANY: i64 = 30;
/// The read model of whose generations one is slow or fails. Each bid writes a row of it.
const TROUBLED: &str = "bid";

/// What is wrong with the rows of one generation meanwhile.
#[derive(Clone, Copy)]
enum Trouble {
    /// Each row takes 20 ms to write, as on a disk that is overloaded, so that the generation falls behind ever more.
    Slow,
    /// No row can be written, as where a tablespace is full.
    Failing,
}

/// Measures it with [`FEW`] read models, with all, and with copies of them, so that there are [`MANY`].
pub(crate) async fn measure(
    (deployment, market): (&Deployment, &Market),
    duration: Duration,
    progress: &Progress,
    table: &mut Table,
) {
    let pool = &deployment.app.database.pool;
    let mut bidders = market.reading_bidders(deployment).await;
    let mut measure = async |of: String| {
        progress.step("commands until a query shows them");
        let before = transactions(pool).await;
        let measured = at_rate(&mut bidders, RATE, duration).await;
        (of, measured, transactions(pool).await - before)
    };
    follow_only(deployment, &FEW).await;
    let measured = measure(format!("{} read models", FEW.len())).await;
    let few = add(measured, None, table);
    follow_all(pool).await;
    let read_models: i64 = sqlx::query_scalar("select count(*) from serving")
        .fetch_one(pool)
        .await
        .unwrap();
    for read_models in [read_models, MANY] {
        copy_read_models(pool, read_models).await;
        let measured = measure(format!("{read_models} read models")).await;
        add(measured, Some(&few), table);
    }
    for trouble in [Trouble::Slow, Trouble::Failing] {
        trouble.begin(pool).await;
        let measured = measure(format!("{MANY} read models, {}", trouble.name())).await;
        end_trouble(pool).await;
        // It also waits until none is behind.
        copy_read_models(pool, MANY).await;
        add(measured, Some(&few), table);
    }
}

/// Adds what was measured, and returns the figure of transactions.
fn add(
    (of, measured, transactions): (String, Measured, i64),
    few: Option<&Figure>,
    table: &mut Table,
) -> Figure {
    let name = format!("commands with a query that shows each, arriving at {RATE:.0}/s, {of}");
    let figure = Figure::rate(name, &measured, "commands/s");
    table.add(figure.with_latencies(&measured.latencies));
    for (name, quantile, most) in [("p50", 0.50, 25.0), ("p99", 0.99, 100.0)] {
        let name = format!("{name} from when a command was due until a query showed it, {of}");
        let figure = Figure::new(name, quantile_ms(&measured.latencies, quantile), "ms");
        table.add(figure.target(Target::AtMost(most)));
    }
    let name = format!("transactions of Postgres for each of these commands, {of}");
    let sent = measured.latencies.len().max(1);
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let figure = Figure::new(name, transactions as f64 / sent as f64, "");
    let figure = match few {
        None => figure,
        Some(few) => figure.against(few).target(Target::AtMost(1.1)),
    };
    table.add(figure).clone()
}

/// How many transactions the database has committed. Each process reports its own within a second of its next rest.
pub(super) async fn transactions(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "select xact_commit from pg_stat_database where datname = current_database()",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Self::Slow => "one of them slow",
            Self::Failing => "one of them failing",
        }
    }

    /// Begins with it, in the table of the newest generation of [`TROUBLED`], which is a copy that serves no query.
    async fn begin(self, pool: &PgPool) {
        let generation: i32 = sqlx::query_scalar(
            "select max(generation) from generations where read_model = $1 and state = 'kept'",
        )
        .bind(TROUBLED)
        .fetch_one(pool)
        .await
        .unwrap();
        let trouble = match self {
            Self::Slow => "perform pg_sleep(0.02)",
            Self::Failing => "raise 'could not extend file' using errcode = 'disk_full'",
        };
        let begin = format!(
            "create function trouble() returns trigger language plpgsql
                 as $$ begin {trouble}; return new; end $$;
             create trigger trouble before insert or update on {TROUBLED}_rows_{generation}
                 for each row execute function trouble()"
        );
        let result = pool.execute(sqlx::raw_sql(AssertSqlSafe(begin))).await;
        result.unwrap();
    }
}

async fn end_trouble(pool: &PgPool) {
    let ended = pool.execute("drop function trouble cascade").await;
    ended.unwrap();
}

//! How late tasks run of which many are due in the same second, while very many others wait; and what the projector takes for
//! all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use chrono::{DateTime, TimeDelta, Utc};
use hdrhistogram::Histogram;
use serde_json::json;
use sqlx::PgPool;
use tidemark_tests::Deployment;
use tidemark_tests::process::resident_kib;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::load::{histogram, micros};
use crate::progress::Progress;
use crate::table::{Figure, Table, Target};

/// Steps of [`measure`].
pub(crate) const STEPS: u64 = 2;

/// The hosts that tasks call, addresses of the loopback interface: each is a destination of its own.
const HOSTS: usize = 50;
/// The seconds between two slots of the tasks that are due.
const PERIOD_S: i64 = 10;
/// How often they are all due.
const SLOTS: i64 = 3;
/// What is allowed to pass before the first of these slots.
const LEAD_S: i64 = 5;
/// How often it is looked whether something has happened.
const POLL: Duration = Duration::from_millis(100);
/// For how long calls are waited for after the last slot.
const WAIT: TimeDelta = TimeDelta::seconds(30);
/// The most that the slowest hundredth of the calls may be late, in milliseconds.
const P99_MS: f64 = 2_000.0;
/// The most by which the projector may grow, in MiB.
const GROWTH_MIB: f64 = 64.0;

/// When each run was called first.
type Calls = Arc<Mutex<HashMap<Uuid, DateTime<Utc>>>>;

/// Measures so many tasks, of which so many are due in the same second.
pub(crate) async fn measure(tasks: i64, due: i64, progress: &Progress, table: &mut Table) {
    progress.step("tasks that wait");
    let hosts: Vec<_> = (1..=HOSTS).map(|host| format!("127.0.1.{host}")).collect();
    let allowed = [("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", &*hosts.join(","))];
    let deployment = Deployment::start_with(&allowed).await;
    let (calls, port) = receive().await;
    let templates = templates(&deployment, &hosts, port).await;
    let pool = &deployment.app.database.pool;
    let memory_mib = || mib(resident_kib(deployment.projector.pid()));
    let later = now() + TimeDelta::days(300);
    let wait = async |tasks| fill(pool, &templates, tasks, "0 0 1 1 *", later).await;
    wait(tasks / 2).await;
    let before = memory_mib();
    wait(tasks / 2 - due).await;
    let growth = memory_mib() - before;

    progress.step("tasks that are due at once");
    let second = now().timestamp() + LEAD_S;
    let first = second + PERIOD_S - second % PERIOD_S;
    let first = DateTime::from_timestamp(first, 0).unwrap();
    let cron = format!("*/{PERIOD_S} * * * * *");
    fill(pool, &templates, due, &cron, first).await;
    let last = first + TimeDelta::seconds((SLOTS - 1) * PERIOD_S);
    let expected = usize::try_from(due * SLOTS).unwrap();
    wait_until(|| async { calls.lock().unwrap().len() >= expected || now() > last + WAIT }).await;
    let (taken, called) = lateness(pool, &calls, last).await;
    let missing = expected.saturating_sub(usize::try_from(called.len()).unwrap());

    let name = format!("p99 until slots are taken, {due} due in the same second of {tasks}");
    table.add(Figure::p99(name, &taken));
    let mut figure = Figure::p99("p99 until their URLs are called", &called);
    figure.failed = u32::try_from(missing).unwrap();
    table.add(figure.target(Target::AtMost(P99_MS)));
    let name = format!(
        "growth of projector from {} to {tasks} tasks that wait",
        tasks / 2
    );
    table.add(Figure::new(name, growth, "MiB").target(Target::AtMost(GROWTH_MIB)));
    let growth = memory_mib() - before;
    let name = format!("growth of projector after {expected} runs");
    table.add(Figure::new(name, growth, "MiB").target(Target::AtMost(GROWTH_MIB)));
}

/// Starts to take calls at all addresses of this machine, and returns them with the port.
async fn receive() -> (Calls, u16) {
    let calls = Calls::default();
    let take = async |State(calls): State<Calls>, headers: HeaderMap| {
        let id = headers["webhook-id"].to_str().unwrap().parse().unwrap();
        calls.lock().unwrap().entry(id).or_insert(now());
    };
    let router = Router::new().fallback(take).with_state(Arc::clone(&calls));
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, router).await });
    (calls, port)
}

/// The events by which a task for each host was defined, each of another user, which runs on request only, and their metadata.
async fn templates(
    deployment: &Deployment,
    hosts: &[String],
    port: u16,
) -> (Vec<String>, Vec<String>) {
    let pool = &deployment.app.database.pool;
    wait_until(|| async {
        let registered = "select exists (select from reactors where name = 'task-clock')";
        sqlx::query_scalar(registered)
            .fetch_one(pool)
            .await
            .unwrap()
    })
    .await;
    for host in hosts {
        let owner = deployment.app.user().await;
        let url = format!("http://{host}:{port}/");
        let task = json!({"name": "Fetch prices", "url": url});
        owner.post("/v1/tasks", &task).await.ok();
    }
    let sql = "select data::text, metadata::text from events where type = 'task.defined'";
    let defined: Vec<(String, String)> = sqlx::query_as(sql).fetch_all(pool).await.unwrap();
    defined.into_iter().unzip()
}

/// Appends the definitions of further tasks like those of the templates, straight into the table, which are due at this time
/// first; and waits until the projector waits for them.
async fn fill(
    pool: &PgPool,
    (data, metadata): &(Vec<String>, Vec<String>),
    tasks: i64,
    cron: &str,
    first: DateTime<Utc>,
) {
    let mut transaction = pool.begin().await.unwrap();
    let head: i64 = sqlx::query_scalar("select position from log_head for update")
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
    sqlx::query(INSERT)
        .bind(head)
        .bind(tasks)
        .bind(data)
        .bind(metadata)
        .bind(cron)
        .bind(first)
        .execute(&mut *transaction)
        .await
        .unwrap();
    sqlx::query("update log_head set position = position + $1, recorded_at = clock_timestamp()")
        .bind(tasks)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    wait_until(|| async {
        let answered = "select position >= $1 from reactors where name = 'task-clock'";
        let answered = sqlx::query_scalar(answered).bind(head + tasks);
        answered.fetch_one(pool).await.unwrap()
    })
    .await;
}

const INSERT: &str = r#"
with numbered as (
    select number,
           gen_random_uuid() as id,
           1 + number % cardinality($3::text[]) as template
      from generate_series(1, $2::bigint) as number
), slot as (
    select to_char($6::timestamptz at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as at
)
insert into events
select $1 + number,
       gen_random_uuid(),
       id,
       1,
       'task',
       'task.defined',
       1,
       (($3::text[])[template]::jsonb || jsonb_build_object(
           'task_id', id,
           'plan', jsonb_build_object('cron', $5::text, 'zone', 'UTC', 'missed', 'latest', 'window_s', 3600, 'delay_ms', 0),
           'next', jsonb_build_object('slot', slot.at, 'due_at', slot.at, 'tzdb', 'bench')
       ))::json,
       ($4::text[])[template]::json,
       clock_timestamp()
  from numbered, slot
"#;

/// How long after their slots the runs up to one were requested, and called.
async fn lateness(
    pool: &PgPool,
    calls: &Calls,
    last: DateTime<Utc>,
) -> (Histogram<u64>, Histogram<u64>) {
    let sql = "select stream_id, (data ->> 'slot')::timestamptz, recorded_at
                 from events
                where type = 'task_run.requested'
                  and (data ->> 'slot')::timestamptz <= $1";
    let runs: Vec<(Uuid, DateTime<Utc>, DateTime<Utc>)> = sqlx::query_as(sql)
        .bind(last)
        .fetch_all(pool)
        .await
        .unwrap();
    let (mut taken, mut called) = (histogram(), histogram());
    let calls = calls.lock().unwrap();
    let add = |histogram: &mut Histogram<u64>, late: TimeDelta| {
        histogram.saturating_record(micros(late.to_std().unwrap_or_default()));
    };
    for (id, slot, requested_at) in runs {
        add(&mut taken, requested_at - slot);
        if let Some(at) = calls.get(&id) {
            add(&mut called, *at - slot);
        }
    }
    (taken, called)
}

async fn wait_until<F: Future<Output = bool>>(mut condition: impl FnMut() -> F) {
    while !condition().await {
        tokio::time::sleep(POLL).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tasks are due by the clock, and a receiver has only its own"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

#[expect(clippy::cast_precision_loss, reason = "a measurement")]
const fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

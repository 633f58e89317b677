//! Tasks that run by schedules of 1 to 5 s while the clients work, and call the receivers of the stack.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;
use tidemark_tests::client;
use tokio::time::sleep;
use uuid::Uuid;

use super::market::{Credentials, RETRY_PAUSE, credentials, execute, registration};
use crate::stack::Stack;

/// The tasks of each owner, all of which are frequent: as many as the configuration allows.
const PER_OWNER: usize = 10;
/// The longest period, in seconds. The others are all that are shorter.
const PERIOD_MAX_S: usize = 5;
/// Longer than a run takes whose call died with a projector: `reactor.effect_lease_ms`, and then the call.
const RUN_MAX: Duration = Duration::from_secs(100);
/// How often it is looked whether runs are over.
const POLL: Duration = Duration::from_millis(200);

/// Runs that are not over, of those that were requested up to a position.
const OPEN_RUNS: &str = "
    select count(*)
      from events requested
     where type = 'task_run.requested'
       and position <= $1
       and not exists (
            select
              from events ended
             where ended.stream_id = requested.stream_id
               and ended.type in ('task_run.succeeded', 'task_run.failed', 'task_run.cancelled')
           )
";

/// The tasks, and whose they are.
#[derive(Debug)]
pub(super) struct Tasks {
    owners: Vec<Owner>,
    pool: PgPool,
}

#[derive(Debug)]
struct Owner {
    credentials: Credentials,
    tasks: Vec<Uuid>,
}

impl Tasks {
    /// Defines so many tasks, spread over the receivers of the stack and over the periods. The journal has none of this: it
    /// happens before any fault.
    pub(super) async fn define(stack: &Stack, count: usize) -> Self {
        let anonymous = client::Client::anonymous(&stack.command_apis[0].url, "");
        let numbers: Vec<_> = (0..count).collect();
        let owners = numbers.chunks(PER_OWNER);
        let owners = owners.map(|numbers| Owner::define(stack, &anonymous, numbers));
        Self {
            owners: join_all(owners).await,
            pool: stack.pool.clone(),
        }
    }

    /// Waits until every run is over that was requested by now, and lets no further one begin.
    pub(super) async fn pause(&self, command_url: &str) {
        self.wait_for_runs().await;
        let anonymous = client::Client::anonymous(command_url, "");
        let anonymous = &anonymous;
        let pausing = self.owners.iter().map(|owner| async {
            let client = log_in(anonymous, &owner.credentials).await;
            for task in &owner.tasks {
                let path = format!("/v1/tasks/{task}/pause");
                while client.post_empty(&path).await.status == 503 {
                    sleep(RETRY_PAUSE).await;
                }
            }
        });
        join_all(pausing).await;
    }

    /// What is not over in time is cancelled by the pause, and an invariant sees for how long it was open.
    async fn wait_for_runs(&self) {
        let head: i64 = sqlx::query_scalar("select position from log_head")
            .fetch_one(&self.pool)
            .await
            .unwrap();
        let started = Instant::now();
        while started.elapsed() < RUN_MAX {
            let open = sqlx::query_scalar::<_, i64>(OPEN_RUNS).bind(head);
            if open.fetch_one(&self.pool).await.unwrap() == 0 {
                return;
            }
            sleep(POLL).await;
        }
    }
}

impl Owner {
    /// Registers somebody, and defines the tasks with these numbers.
    async fn define(stack: &Stack, anonymous: &client::Client, numbers: &[usize]) -> Self {
        let credentials = credentials(&format!("owner-of-task-{}", numbers[0]));
        execute(anonymous, "/v1/users", &registration(&credentials)).await;
        let client = log_in(anonymous, &credentials).await;
        let mut tasks = Vec::new();
        for number in numbers {
            let task = execute(&client, "/v1/tasks", &task(stack, *number)).await;
            tasks.push(task.id());
        }
        Self { credentials, tasks }
    }
}

async fn log_in(anonymous: &client::Client, credentials: &Credentials) -> client::Client {
    let session = execute(anonymous, "/v1/sessions", &credentials.body()).await;
    anonymous.with_token(session.body["access_token"].as_str().unwrap())
}

/// The task with this number. Its name is the path of its URL.
fn task(stack: &Stack, number: usize) -> Value {
    let receivers = &stack.receivers;
    let receiver = &receivers[number % receivers.len()];
    let period_s = 1 + number / receivers.len() % PERIOD_MAX_S;
    let name = format!("{}-{number}", receiver.how.name());
    json!({
        "name": name,
        "url": receiver.url(&name),
        "cron": format!("*/{period_s} * * * * *"),
        "zone": "UTC",
        "delay_max_s": 0,
        // Slots that come while processes are away are missed.
        "missed": if number.is_multiple_of(2) { "latest" } else { "none" },
    })
}

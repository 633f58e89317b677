//! A defect of a command costs that command, and one of the commit loop ends the process instead of leaving it
//! deaf.

use std::sync::Arc;

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tidemark_command_api::Share;
use tidemark_command_api::error::Error;
use tidemark_command_api::executor::{Answer, Executor, Submission};
use tidemark_domain::{Command, Refusal, Stop, View, Write};
use tidemark_event_store::TimedPool;
use tidemark_events::{Actor, Metadata};
use tidemark_platform::clock::Clock;
use tidemark_platform::database;
use tidemark_tests::database::RESPONSE_TIMEOUT;
use tidemark_tests::{App, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A command that panics.
enum Defect {
    InItsDecision,
    InTheLoop,
}

impl Command for Defect {
    fn name(&self) -> &'static str {
        match self {
            Self::InItsDecision => "defect",
            // The loop needs the name for a metric, once the command is settled.
            Self::InTheLoop => panic!("a defect of the loop"),
        }
    }

    fn refusals() -> Vec<Refusal> {
        Vec::new()
    }

    fn decide(&self, _: &View<'_>) -> Result<Vec<Write>, Stop> {
        match self {
            Self::InItsDecision => panic!("a defect of a decision"),
            Self::InTheLoop => Ok(Vec::new()),
        }
    }
}

async fn executor(app: &App) -> (Executor, JoinHandle<()>) {
    let config = app.settings.config();
    let url = config.database.append_url.expose_secret();
    let pool = database::pool(&config.database, url).unwrap();
    let pool = TimedPool::new(pool, RESPONSE_TIMEOUT);
    let (executor, commit_loop) =
        Executor::start(pool, config.executor, Clock::system(), Arc::default());
    eventually("the executor to be registered", || async {
        executor.is_running().then_some(())
    })
    .await;
    (executor, commit_loop)
}

async fn execute(executor: &Executor, defect: Defect) -> Answer {
    let submission = Submission {
        command: Arc::new(defect),
        metadata: Metadata {
            actor: Actor::Anonymous,
            correlation_id: Uuid::nil(),
            causation_id: None,
            traceparent: None,
        },
        session: None,
        share: Share::User(Uuid::nil()),
        stream_id: Uuid::nil(),
        status: StatusCode::OK,
        expected_versions: None,
        idempotency: None,
        subject_keys: Vec::new(),
    };
    executor.execute(submission).await
}

#[tokio::test]
async fn a_decision_that_panics_is_a_failure_of_its_command_alone() {
    let app = App::start().await;
    let (executor, _) = executor(&app).await;
    for _ in 0..2 {
        let answer = execute(&executor, Defect::InItsDecision).await;
        assert!(matches!(answer, Err(Error::Internal(_))), "{answer:?}");
    }
    assert!(executor.is_running());
}

#[tokio::test]
async fn an_executor_whose_loop_has_died_is_not_running() {
    let app = App::start().await;
    let (executor, commit_loop) = executor(&app).await;
    let answer = execute(&executor, Defect::InTheLoop).await;
    assert!(matches!(answer, Err(Error::ShuttingDown)), "{answer:?}");
    assert!(commit_loop.await.unwrap_err().is_panic());
    assert!(!executor.is_running());
}

/// Has the log say that it ends where no log can end. That is more than the loop can count to, and it panics.
const BREAK_THE_APPEND: &str = r"
    do $do$
    begin
        execute replace(
            pg_get_functiondef('append'::regproc),
            E'\nend\n$function$',
            E'\n    head := 9223372036854775807;\nend\n$function$'
        );
    end
    $do$";

/// A process that is about to end accepts no connections. So the request whether it is ready has begun before.
#[tokio::test]
async fn a_process_whose_commit_loop_has_died_is_not_ready_and_ends_with_an_error() {
    let app = App::start().await;
    let process = app.spawn_command_api().await;
    let admin = app.admin().await.via_command_api(&process.url);
    sqlx::raw_sql(BREAK_THE_APPEND)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let address = process.url.strip_prefix("http://").unwrap();
    let mut probe = TcpStream::connect(address).await.unwrap();
    probe.write_all(b"GET /readyz HTTP/1.1\r\n").await.unwrap();

    let body = json!({"name": "Charts", "slug": "charts"});
    let answer = admin.post("/v1/categories", &body).await;
    answer.problem(503, "shutting_down");
    eventually("the process to accept no connections", || async {
        TcpStream::connect(address).await.is_err().then_some(())
    })
    .await;
    probe.write_all(b"host: probe\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let body = answer.split("\r\n\r\n").nth(1).unwrap();
    let problem: Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["code"], "not_ready");
    let missing = json!({"executor": "decides no commands", "running": "stopping"});
    assert_eq!(problem["missing"], missing);
    assert!(!process.ended().await.success());
}

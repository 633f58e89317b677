//! A defect of a command costs that command, and one of the commit loop ends the process instead of leaving it
//! deaf.

use std::sync::Arc;

use axum::http::StatusCode;
use secrecy::ExposeSecret;
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

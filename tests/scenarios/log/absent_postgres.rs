//! Processes start before Postgres does, and end in time without it.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tidemark_tests::proxy::{Fault, Proxy};
use tidemark_tests::{Answer, App, Client, Process, Settings, eventually};

const DRAIN: Duration = Duration::from_secs(3);
/// The time to start and to end a process on a busy machine.
const MARGIN: Duration = Duration::from_secs(2);

/// A kind of process, with the role of the database as which it connects.
struct Kind {
    binary: &'static str,
    arguments: &'static [&'static str],
    service: &'static str,
    role: &'static str,
}

const COMMAND_API: Kind = Kind {
    binary: "tidemark-command-api",
    arguments: &["--roles", "api"],
    service: "operator",
    role: "APPEND",
};
const RELAY: Kind = Kind {
    arguments: &["--roles", "relay"],
    role: "RELAY",
    ..COMMAND_API
};
const PROJECTOR: Kind = Kind {
    binary: "tidemark-projector",
    arguments: &["run"],
    service: "projector",
    role: "PROJECT",
};
const QUERY_API: Kind = Kind {
    binary: "tidemark-query-api",
    arguments: &[],
    service: "query-api",
    role: "READ",
};

impl Kind {
    /// Starts a process whose connections to Postgres lead through a proxy.
    async fn start(&self, settings: &Settings, fault: Fault) -> (Process, Proxy) {
        let mut settings = settings.as_service(self.service);
        settings.set("TIDEMARK_HTTP__DRAIN_MS", DRAIN.as_millis().to_string());
        let proxy = Proxy::before_postgres(&mut settings, self.role).await;
        proxy.set_both(fault);
        let process = Process::listening(self.binary, self.arguments, &settings).await;
        (process, proxy)
    }
}

async fn status(process: &Process, path: &str) -> u16 {
    let client = Client::anonymous(&process.url, "");
    Answer::to(client.command(Method::GET, path)).await.status
}

#[tokio::test]
async fn processes_start_before_postgres_and_are_ready_once_it_answers() {
    let app = App::builder().relay().start().await;
    for kind in [COMMAND_API, RELAY, PROJECTOR, QUERY_API] {
        let (process, postgres) = kind.start(&app.settings, Fault::Reset).await;
        assert_eq!(status(&process, "/livez").await, 200, "{}", kind.role);
        assert_eq!(status(&process, "/readyz").await, 503, "{}", kind.role);
        postgres.heal();
        process.is_ready().await;
    }
}

#[tokio::test]
async fn a_command_that_comes_before_postgres_does_is_refused_and_later_ones_are_accepted() {
    let app = App::start().await;
    let (process, postgres) = COMMAND_API.start(&app.settings, Fault::Reset).await;
    let admin = app.admin().await.via_command_api(&process.url);
    let body = json!({"name": "Charts", "slug": "charts"});
    let early = admin.post("/v1/categories", &body).await;
    early.problem(503, "storage_unavailable");
    postgres.heal();
    process.is_ready().await;
    admin.post("/v1/categories", &body).await.ok();
}

#[tokio::test]
async fn processes_that_are_told_to_stop_before_postgres_came_end_in_time() {
    let app = App::builder().relay().start().await;
    for kind in [COMMAND_API, RELAY, PROJECTOR, QUERY_API] {
        let (process, _postgres) = kind.start(&app.settings, Fault::BlackHole).await;
        ends_in_time(process).await;
    }
}

#[tokio::test]
async fn processes_that_are_told_to_stop_while_postgres_is_away_end_in_time() {
    let app = App::builder().relay().start().await;
    for kind in [RELAY, PROJECTOR, QUERY_API] {
        let (process, postgres) = kind.start(&app.settings, Fault::None).await;
        process.is_ready().await;
        postgres.set_both(Fault::BlackHole);
        ends_in_time(process).await;
    }
}

/// The outcome of the command is unknown, and cannot be resolved.
#[tokio::test]
async fn a_command_api_with_an_append_that_is_never_answered_ends_in_time() {
    let app = App::start().await;
    let (process, postgres) = COMMAND_API.start(&app.settings, Fault::None).await;
    process.is_ready().await;
    let admin = app.admin().await.via_command_api(&process.url);
    let body = |slug: &str| json!({"name": "Charts", "slug": slug});
    admin.post("/v1/categories", &body("known")).await.ok();
    postgres.set_both(Fault::BlackHole);
    let command = admin
        .with_key("3f2c8a4e-key-of-this-test")
        .command(Method::POST, "/v1/categories")
        .json(&body("unknown"));
    let unanswered = async {
        assert!(Answer::try_to(command).await.is_err());
    };
    let stopping = async {
        let swallowed = || async { (postgres.counts().swallowed > 0).then_some(()) };
        eventually("the append to be swallowed", swallowed).await;
        ends_in_time(process).await;
    };
    tokio::join!(unanswered, stopping);
}

async fn ends_in_time(process: Process) {
    let told = Instant::now();
    assert!(process.terminate().await.success());
    let took = told.elapsed();
    assert!(took < DRAIN + MARGIN, "it took {took:?} to end");
}

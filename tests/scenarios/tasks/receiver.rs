//! A server that tasks call, which keeps what it received.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use futures::stream;
use serde_json::{Value, json};
use tidemark_tests::{App, Client, eventually};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use uuid::Uuid;

/// A call as the server received it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    pub(super) at: Instant,
}

/// The calls that a server has received.
type Calls = Arc<Mutex<Vec<Call>>>;
/// When something happened.
type Times = Arc<Mutex<Vec<Instant>>>;

/// A server whose paths say how it answers.
pub(super) struct Receiver {
    pub(super) port: u16,
    state: Answering,
}

/// What answers rest on.
#[derive(Clone, Default)]
struct Answering {
    received: Calls,
    broken_off: Times,
    /// Lets a call be answered that is held.
    held: Arc<Notify>,
}

/// A call that is not answered.
struct Unanswered(Times);

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let state = Answering::default();
        let router = Router::new()
            .route("/{how}", any(answer))
            .with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { port, state }
    }

    /// The URL at which it answers like this.
    pub(super) fn url(&self, how: &str) -> String {
        format!("http://127.0.0.1:{}/{how}", self.port)
    }

    pub(super) fn received(&self) -> Vec<Call> {
        self.state.received.lock().unwrap().clone()
    }

    /// When calls that were not answered were broken off.
    pub(super) fn broken_off(&self) -> Vec<Instant> {
        self.state.broken_off.lock().unwrap().clone()
    }

    /// Lets one call be answered that is held.
    pub(super) fn release(&self) {
        self.state.held.notify_one();
    }

    /// Waits for so many calls.
    pub(super) async fn calls(&self, count: usize) -> Vec<Call> {
        eventually("calls", || async {
            let received = self.received();
            (received.len() >= count).then_some(received)
        })
        .await
    }
}

async fn answer(
    State(state): State<Answering>,
    Path(how): Path<String>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let earlier = {
        let mut received = state.received.lock().unwrap();
        let earlier = received.len();
        received.push(Call {
            method: method.to_string(),
            path: how.clone(),
            headers: headers.iter().map(header).collect(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            at: Instant::now(),
        });
        earlier
    };
    match &*how {
        "gone" => StatusCode::GONE.into_response(),
        "gone-held" => {
            state.held.notified().await;
            StatusCode::GONE.into_response()
        }
        "held-first" if earlier < 1 => {
            state.held.notified().await;
            StatusCode::OK.into_response()
        }
        "fails" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "fails-twice" if earlier < 2 => StatusCode::BAD_GATEWAY.into_response(),
        "busy" if earlier < 1 => {
            (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response()
        }
        "overrun" => StatusCode::TOO_MANY_REQUESTS.into_response(),
        "no-content" => StatusCode::NO_CONTENT.into_response(),
        "drips" => Body::from_stream(stream::unfold((), drip)).into_response(),
        "redirects" => (StatusCode::FOUND, [("location", "/well")]).into_response(),
        "silent-later" if earlier < 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "silent" | "silent-later" => {
            let _unanswered = Unanswered(state.broken_off);
            std::future::pending().await
        }
        "long" => "a".repeat(10 * 1_024 * 1_024).into_response(),
        "slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "ok".into_response()
        }
        _ => (StatusCode::OK, "all is well").into_response(),
    }
}

/// The next byte of an answer that never ends.
async fn drip((): ()) -> Option<(Result<&'static str, Infallible>, ())> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Some((Ok("a"), ()))
}

/// An application that may call servers on this machine, and tries again soon.
pub(super) async fn application() -> App {
    application_with(&[]).await
}

/// The same with other values of some settings.
pub(super) async fn application_with(changed: &[(&str, &str)]) -> App {
    let mut builder = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
        .set("TIDEMARK_TASKS__RETRY_PAUSES_MS", "200,200,200")
        .set("TIDEMARK_TASKS__CALL_TIMEOUT_MS", 1_000);
    for (name, value) in changed {
        builder = builder.set(name, *value);
    }
    let app = builder.start().await;
    ready(&app).await;
    app
}

/// Waits until the reactors of tasks have begun to answer what happens.
pub(super) async fn ready(app: &App) {
    eventually("the reactors to begin", || async {
        let sql = "select count(*) from reactors where name in ('task-clock', 'task-caller')";
        let begun: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (begun == 2).then_some(())
    })
    .await;
}

/// Defines a task that calls this URL, on request only unless `more` says when.
pub(super) async fn define(user: &Client, url: &str, more: Value) -> Uuid {
    let mut task = json!({"name": "Fetch prices", "url": url});
    let more = more.as_object().unwrap().clone();
    task.as_object_mut().unwrap().extend(more);
    user.post("/v1/tasks", &task).await.ok().id()
}

/// Has a task run now, and returns the run once it is over.
pub(super) async fn run(user: &Client, task: Uuid) -> Value {
    let path = format!("/v1/tasks/{task}/run");
    let run = user.post_empty(&path).await.ok().id();
    over(user, run).await
}

/// The run once it is over.
pub(super) async fn over(user: &Client, run: Uuid) -> Value {
    let path = format!("/v1/task-runs/{run}");
    eventually("the end of a run", || async {
        let answer = user.get(&path).await;
        (answer.status == 200 && answer.body["status"] != "open").then_some(answer.body)
    })
    .await
}

/// The outcomes of the attempts of a run, with the status of each answer.
pub(super) fn outcomes(run: &Value) -> Vec<String> {
    let attempts = run["attempts"].as_array().unwrap().iter();
    attempts
        .map(|it| format!("{} {}", it["outcome"].as_str().unwrap(), it["status"]))
        .collect()
}

/// Defines a task, and has a run of it cancelled before it can call anybody. Returns both.
pub(crate) async fn cancelled_run(user: &Client) -> (Uuid, Uuid) {
    let task = define(user, "https://hooks.invalid/", json!({})).await;
    let run = user.post_empty(&format!("/v1/tasks/{task}/run")).await.ok();
    user.post_empty(&format!("/v1/tasks/{task}/pause"))
        .await
        .ok();
    (task, run.id())
}

/// The time from the call of a server that has too much to do, and asks for a second, until it is called again.
pub(super) async fn pause_of_a_busy_server(app: &App) -> Duration {
    let server = Receiver::start().await;
    let user = app.user().await;
    let task = define(&user, &server.url("busy"), json!({})).await;
    let run = run(&user, task).await;
    assert_eq!(outcomes(&run), ["refused 429", "delivered 200"]);
    let [first, second] = &server.received()[..] else {
        panic!("two calls");
    };
    second.at - first.at
}

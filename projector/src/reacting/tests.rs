//! Reactors and the sender of their actions, on a real Postgres and against a command API that gives
//! prepared answers.

mod checkpoints;
mod destinations;
mod effects;
mod many;
mod names;
mod presence;
mod repeated;
mod sending;
mod unanswered;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::TimeDelta;
use sqlx::PgPool;
use tidemark_domain::market::processes::auction_timer;
use tidemark_domain::{Action, ProcessManager, What};
use tidemark_events::market::auction;
use tidemark_events::{Event, Moment, Recorded, UserId, samples};
use tidemark_platform::ids::new_id;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::attempts::Attempt;
use super::due::{Lease, commands};
use super::owners::Owners;
use super::presence::{Presence, Present};
use super::reactor::Reactor;
use super::registration::register;
use super::sender::Sender;
use crate::following::subscriber::Subscriber;
use crate::testing::{Database, at, page};

const TIMER: &ProcessManager = &auction_timer::PROCESS_MANAGER;

/// A request as the command API received it.
#[derive(Debug)]
struct Received {
    path: String,
    headers: HeaderMap,
    body: String,
}

/// How long a process must be missed before another one does what it had taken.
const GONE_AFTER: Duration = Duration::from_millis(500);

/// Takes all commands that are due, for as long.
async fn take(pool: &PgPool, duration: Duration) -> Vec<Attempt> {
    let lease = Lease {
        holder: new_id(),
        duration,
    };
    let taken = commands::take(pool, 9, &Owners::new(9).shares(), lease).await;
    taken.unwrap()
}

type Answers = VecDeque<(u16, String)>;

/// What the command API answers when it has accepted a command.
const ACCEPTED: &str = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","version":2}"#;

/// A command API that gives each request the next of `answers`, and accepts the command when there are no
/// more. Returns its URL and the requests that it receives.
async fn command_api(answers: Answers) -> (String, mpsc::UnboundedReceiver<Received>) {
    let (received, requests) = mpsc::unbounded_channel();
    let state = (Arc::new(Mutex::new(answers)), received);
    let answer = async |State((answers, received)): State<(Arc<Mutex<Answers>>, _)>,
                        request: Request| {
        let received: mpsc::UnboundedSender<Received> = received;
        let path = request.uri().path().to_owned();
        let headers = request.headers().clone();
        let body = to_bytes(request.into_body(), 10_000).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        let request = Received {
            path,
            headers,
            body,
        };
        received.send(request).unwrap();
        let (status, body) = answers
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or((200, ACCEPTED.to_owned()));
        (StatusCode::from_u16(status).unwrap(), body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(state);
    tokio::spawn(async { axum::serve(listener, router).await });
    (url, requests)
}

/// The scheduling of an auction that starts and ends that much later than now.
async fn scheduled(
    database: &Database,
    position: i64,
    start: TimeDelta,
    end: TimeDelta,
) -> Recorded {
    let now = tidemark_event_store::Log::new(database.pool.clone())
        .now()
        .await
        .unwrap();
    let mut events = samples::all().into_iter();
    let mut event = events
        .find(|event| matches!(event, Event::Auction(_)))
        .unwrap();
    if let Event::Auction(auction::Event::Scheduled {
        starts_at, ends_at, ..
    }) = &mut event
    {
        let moment = |after| Moment::nearest(now + after).into();
        (*starts_at, *ends_at) = (moment(start), moment(end));
    }
    samples::recorded(position, &event)
}

fn reactor(database: &Database) -> Reactor {
    Reactor::new(database.pool.clone(), TIMER, watch::Sender::default())
}

/// Lets the reactor apply events, and returns the position that it reached.
async fn react(database: &Database, from: i64, events: Vec<Recorded>) -> i64 {
    let events = database.append_shared(events).await;
    let applied = reactor(database).apply(at(from), &page(&events)).await;
    applied.unwrap().point.position
}

/// The presence of a process that lives as long as the test.
fn present(database: &Database) -> Present {
    let (presence, present) = presence(database);
    tokio::spawn(presence.run());
    present
}

/// The presence of a process that nothing shows yet.
fn presence(database: &Database) -> (Presence, Present) {
    let pool = PgPool::clone(&database.pool);
    Presence::new(pool, new_id(), GONE_AFTER, watch::Sender::default())
}

fn sender(database: &Database, url: &str) -> Sender {
    sender_with(database, url, &[])
}

fn sender_with(database: &Database, url: &str, settings: &[(&str, &str)]) -> Sender {
    let own = [
        ("TIDEMARK_COMMAND_API__URL", url),
        ("TIDEMARK_REACTOR__RETRY_MIN_MS", "10"),
        ("TIDEMARK_REACTOR__RETRY_MAX_MS", "20"),
    ];
    let config = database.config(&[&own, settings].concat());
    let stored = watch::Sender::default();
    Sender::new(&config, database.pool.clone(), stored, present(database)).unwrap()
}

/// The targets of the actions that have ended, with the number of attempts and the outcome.
async fn ended(database: &Database) -> Vec<(String, i32, String)> {
    let sql = "select target, attempts, outcome from reactor_actions where done_at is not null order by target";
    sqlx::query_as(sql)
        .fetch_all(&database.owner)
        .await
        .unwrap()
}

/// Sends until the command API has received so many requests, and returns them.
async fn send(
    sender: Sender,
    requests: &mut mpsc::UnboundedReceiver<Received>,
    count: usize,
) -> Vec<Received> {
    let stop = CancellationToken::new();
    let sending = tokio::spawn(sender.run(stop.clone()));
    let mut received = Vec::new();
    for _ in 0..count {
        received.push(requests.recv().await.unwrap());
    }
    stop.cancel();
    sending.await.unwrap();
    received
}

const PAST: TimeDelta = TimeDelta::seconds(-10);
const FUTURE: TimeDelta = TimeDelta::hours(1);

/// The process manager of a second reactor, which answers the same events.
const AUDITOR: ProcessManager = ProcessManager {
    name: "auction-auditor",
    event_types: &["auction.scheduled"],
    commands: &["audit_auction"],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { starts_at, .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "audit".to_owned(),
            due_at: Some(**starts_at),
            owner_id: None,
            about: None,
            what: What::command("/v1/audits".to_owned()),
        }]
    },
};

/// Registers the reactors as a projector does when it starts.
async fn register_both(pool: &PgPool) {
    register(pool, &[*TIMER, AUDITOR]).await.unwrap();
}

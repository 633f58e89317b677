//! Reactors and the sender of their actions, on a real Postgres and against a command API that gives
//! prepared answers.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use tidemark_domain::market::processes::auction_timer;
use tidemark_domain::{Action, ProcessManager};
use tidemark_events::market::auction;
use tidemark_events::{Event, Recorded, samples};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::actions;
use super::reactor::Reactor;
use super::registration::register;
use super::sender::Sender;
use crate::following::subscriber::{Subscriber, SubscriberError};
use crate::testing::{Database, page, recorded};

const TIMER: &ProcessManager = &auction_timer::PROCESS_MANAGER;

/// A request as the command API received it.
#[derive(Debug)]
struct Received {
    path: String,
    headers: HeaderMap,
}

type Answers = VecDeque<(u16, String)>;

/// Answers each request with the next of `answers`, and 200 when there are no more.
async fn command_api(answers: Answers) -> (String, mpsc::UnboundedReceiver<Received>) {
    let (seen, requests) = mpsc::unbounded_channel();
    let state = (Arc::new(Mutex::new(answers)), seen);
    let answer = async |State((answers, seen)): State<(Arc<Mutex<Answers>>, _)>,
                        request: Request| {
        let seen: mpsc::UnboundedSender<Received> = seen;
        let path = request.uri().path().to_owned();
        let headers = request.headers().clone();
        seen.send(Received { path, headers }).unwrap();
        let (status, body) = answers
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or((200, String::new()));
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
        (*starts_at, *ends_at) = (now + start, now + end);
    }
    samples::recorded(position, &event)
}

fn reactor(database: &Database) -> Reactor {
    Reactor::new(database.pool.clone(), TIMER)
}

/// Lets the reactor apply events, and returns the position that it reached.
async fn react(database: &Database, from: i64, events: Vec<Recorded>) -> i64 {
    let events: Vec<_> = events.into_iter().map(Arc::new).collect();
    reactor(database)
        .apply(from, &page(&events))
        .await
        .unwrap()
        .position
}

fn sender(database: &Database, url: &str) -> Sender {
    let config = database.config(&[
        ("TIDEMARK_COMMAND_API__URL", url),
        ("TIDEMARK_REACTOR__RETRY_MIN_MS", "10"),
        ("TIDEMARK_REACTOR__RETRY_MAX_MS", "20"),
    ]);
    Sender::new(&config, database.pool.clone()).unwrap()
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
    let mut seen = Vec::new();
    for _ in 0..count {
        seen.push(requests.recv().await.unwrap());
    }
    stop.cancel();
    sending.await.unwrap();
    seen
}

const PAST: TimeDelta = TimeDelta::seconds(-10);
const FUTURE: TimeDelta = TimeDelta::hours(1);

#[tokio::test]
async fn actions_and_checkpoint_are_stored_together_and_once() {
    let database = Database::new("react").await;
    let event = scheduled(&database, 2, PAST, FUTURE).await;
    assert_eq!(
        react(&database, 0, vec![recorded(1), event.clone(), recorded(3)]).await,
        3
    );
    assert_eq!(reactor(&database).start().await.unwrap(), 3);
    let again = reactor(&database).apply(1, &page(&[Arc::new(event)])).await;
    assert!(matches!(again, Err(SubscriberError::Fenced(1))));
    let actions: Vec<(i64, String, i32)> =
        sqlx::query_as("select position, target, attempts from reactor_actions order by target")
            .fetch_all(&database.owner)
            .await
            .unwrap();
    assert_eq!(
        actions,
        [(2, "close".to_owned(), 0), (2, "open".to_owned(), 0)]
    );
}

#[tokio::test]
async fn an_action_that_is_due_is_sent_and_another_waits() {
    let database = Database::new("due").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    react(&database, 0, vec![event.clone()]).await;
    let seen = send(sender(&database, &url), &mut requests, 1).await;

    let [Received { path, headers }] = &seen[..] else {
        unreachable!()
    };
    assert_eq!(*path, format!("/v1/auctions/{}/open", samples::AUCTION));
    assert_eq!(
        headers["idempotency-key"],
        "auction-timer-0000000000000001-open"
    );
    assert_eq!(headers["x-reactor"], "auction-timer");
    assert_eq!(headers["x-causation-id"], event.event_id.to_string());
    assert_eq!(headers["x-correlation-id"], Uuid::from_u128(77).to_string());
    assert!(
        headers["authorization"]
            .to_str()
            .unwrap()
            .starts_with("Service projector:")
    );
    assert!(requests.try_recv().is_err());
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 1, "done".to_owned())]
    );
}

#[tokio::test]
async fn an_action_is_sent_under_the_same_key_until_an_answer_ends_it() {
    let database = Database::new("retry").await;
    let not_due =
        |at: DateTime<Utc>| format!(r#"{{"code":"not_due","retry_at":"{}"}}"#, at.to_rfc3339());
    let now = tidemark_event_store::Log::new(database.pool.clone())
        .now()
        .await
        .unwrap();
    let answers = [
        (503, r#"{"code":"overloaded"}"#.to_owned()),
        (404, "not a problem".to_owned()),
        (409, not_due(now)),
        (401, r#"{"code":"unauthorized"}"#.to_owned()),
    ];
    let (url, mut requests) = command_api(answers.into()).await;
    react(
        &database,
        0,
        vec![scheduled(&database, 1, PAST, FUTURE).await],
    )
    .await;
    let seen = send(sender(&database, &url), &mut requests, 5).await;
    let keys: BTreeSet<_> = seen
        .iter()
        .map(|seen| &seen.headers["idempotency-key"])
        .collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 5, "done".to_owned())]
    );
}

#[tokio::test]
async fn a_refusal_of_the_command_ends_an_action() {
    let database = Database::new("refuse").await;
    let answers = [(409, r#"{"code":"auction_over"}"#.to_owned())];
    let (url, mut requests) = command_api(answers.into()).await;
    react(
        &database,
        0,
        vec![scheduled(&database, 1, PAST, FUTURE).await],
    )
    .await;
    send(sender(&database, &url), &mut requests, 1).await;
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 1, "409 auction_over".to_owned())]
    );
}

#[tokio::test]
async fn timers_fire_in_time_and_not_before() {
    let database = Database::new("fire").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let (start, end) = (TimeDelta::milliseconds(300), TimeDelta::milliseconds(450));
    react(
        &database,
        0,
        vec![scheduled(&database, 1, start, end).await],
    )
    .await;
    let seen = send(sender(&database, &url), &mut requests, 2).await;
    assert!(seen[0].path.ends_with("/open") && seen[1].path.ends_with("/close"));
    let sql = "select max(extract(epoch from done_at - due_at))::float8,
                      min(extract(epoch from done_at - due_at))::float8
                 from reactor_actions";
    let (slowest, fastest): (f64, f64) = sqlx::query_as(sql)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert!(
        fastest >= 0.0 && slowest < 1.0,
        "{fastest} to {slowest} s late"
    );
}

#[tokio::test]
async fn an_action_taken_by_a_killed_sender_is_sent_when_the_lease_has_expired() {
    let database = Database::new("killed").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    react(
        &database,
        0,
        vec![scheduled(&database, 1, PAST, FUTURE).await],
    )
    .await;
    let taken = actions::take(&database.pool, 9, std::time::Duration::from_millis(200))
        .await
        .unwrap();
    assert_eq!(taken.len(), 1);
    let none = actions::take(&database.pool, 9, std::time::Duration::from_secs(9))
        .await
        .unwrap();
    assert!(none.is_empty(), "another sender has taken it");
    send(sender(&database, &url), &mut requests, 1).await;
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 2, "done".to_owned())]
    );

    actions::end(&database.pool, &taken[0], "by a zombie")
        .await
        .unwrap();
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 2, "done".to_owned())]
    );
}

/// The process manager of a second reactor, which answers the same events.
const AUDITOR: ProcessManager = ProcessManager {
    name: "auction-auditor",
    event_types: &["auction.scheduled"],
    commands: &["audit_auction"],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { starts_at, .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            target: "audit".to_owned(),
            due_at: *starts_at,
            path: "/v1/audits".to_owned(),
        }]
    },
};

async fn register_both(pool: &PgPool) {
    register(pool, &[*TIMER, AUDITOR]).await.unwrap();
}

#[tokio::test]
async fn a_new_reactor_starts_at_the_head_and_the_others_keep_their_checkpoints() {
    let database = Database::new("second_reactor").await;
    let history = scheduled(&database, 1, PAST, FUTURE).await;
    database.append(&[history.clone(), recorded(2)]).await;
    react(&database, 0, vec![history]).await;
    register_both(&database.pool).await;
    let mut auditor = Reactor::new(database.pool.clone(), &AUDITOR);
    assert_eq!(auditor.start().await.unwrap(), 2);
    assert_eq!(reactor(&database).start().await.unwrap(), 1);

    let news = scheduled(&database, 3, PAST, FUTURE).await;
    database.append(std::slice::from_ref(&news)).await;
    register_both(&database.pool).await;
    assert_eq!(auditor.start().await.unwrap(), 2, "registered once");
    auditor.apply(2, &page(&[Arc::new(news)])).await.unwrap();
    let answered: Vec<i64> =
        sqlx::query_scalar("select position from reactor_actions where reactor = $1")
            .bind(AUDITOR.name)
            .fetch_all(&database.owner)
            .await
            .unwrap();
    assert_eq!(answered, [3], "history is not answered");
}

#[tokio::test]
async fn each_reactor_sends_commands_under_its_own_name() {
    let database = Database::new("reactor_names").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    register_both(&database.pool).await;
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    react(&database, 0, vec![event.clone()]).await;
    let mut auditor = Reactor::new(database.pool.clone(), &AUDITOR);
    auditor.apply(0, &page(&[Arc::new(event)])).await.unwrap();
    let received = send(sender(&database, &url), &mut requests, 2).await;
    let names: BTreeSet<_> = received
        .iter()
        .map(|received| {
            let headers = &received.headers;
            let credential = headers["authorization"].to_str().unwrap();
            assert!(
                credential.starts_with("Service projector:"),
                "one credential"
            );
            (
                headers["x-reactor"].to_str().unwrap(),
                headers["idempotency-key"].to_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        BTreeSet::from([
            ("auction-auditor", "auction-auditor-0000000000000001-audit"),
            ("auction-timer", "auction-timer-0000000000000001-open"),
        ])
    );
}

//! Effects with many destinations, some of which do not answer.

mod one_host;

use std::collections::BTreeMap;
use std::future::pending;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use super::*;
use crate::reacting::effects::{Contact, Effect, Outcome, Performed};

/// How many calls each destination gets of one event.
const CALLS: usize = 20;

/// A process manager that has three destinations called for each auction, all of them often.
const CALLER: ProcessManager = ProcessManager {
    name: "caller",
    event_types: &["auction.scheduled"],
    commands: &[],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        let call = |host: &str, number| Action {
            name: format!("{host}-{number}"),
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Effect {
                name: "call".to_owned(),
                destination: host.to_owned(),
                body: json!({"host": host}),
            },
        };
        let hosts = ["hangs", "refuses", "works"];
        let calls = hosts.map(|host| (0..CALLS).map(move |number| call(host, number)));
        calls.into_iter().flatten().collect()
    },
};

/// An effect that tells each call when it begins.
struct CallHost(UnboundedSender<String>);

#[derive(Deserialize)]
struct Host {
    host: String,
}

#[async_trait]
impl Effect for CallHost {
    const NAME: &'static str = "call";
    type Body = Host;

    async fn perform(&self, Host { host }: Host, destination: &str, _: i32) -> Performed {
        self.0.send(host.clone()).unwrap();
        match &*host {
            "hangs" => pending().await,
            "moved" if destination != "there" => Performed {
                outcome: Outcome::Elsewhere("there".to_owned()),
                contact: None,
            },
            "refuses" => later(Contact::Unreachable),
            "too-much" => later(Contact::Unanswered),
            _ => Performed {
                outcome: Outcome::Over {
                    path: "/v1/calls".to_owned(),
                    body: Some(json!({})),
                },
                contact: Some(Contact::Answered),
            },
        }
    }
}

/// What comes of a call that shows this, and is to be made again.
fn later(contact: Contact) -> Performed {
    Performed {
        outcome: Outcome::Later {
            after: Duration::ZERO,
            reason: "not now".to_owned(),
        },
        contact: Some(contact),
    }
}

/// Stores what a process manager has done when an auction is scheduled.
async fn answer_one(database: &Database, process_manager: &'static ProcessManager) {
    register(&database.pool, &[*process_manager]).await.unwrap();
    let event = scheduled(database, 1, PAST, FUTURE).await;
    let events = database.append_shared(vec![event]).await;
    let stored = watch::Sender::default();
    let mut reactor = Reactor::new(database.pool.clone(), process_manager, stored);
    reactor.start().await.unwrap();
    reactor.apply(at(0), &page(&events)).await.unwrap();
}

/// Whoever fails three times in a row is left alone for longer than a test lasts.
const SOON_LEFT_ALONE: [(&str, &str); 3] = [
    ("TIDEMARK_REACTOR__DESTINATION_FAILURES_MAX", "3"),
    ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MIN_MS", "3600000"),
    ("TIDEMARK_REACTOR__DESTINATION_PAUSE_MAX_MS", "3600000"),
];

#[tokio::test]
async fn a_destination_that_does_not_answer_holds_up_no_other_and_is_soon_left_alone() {
    let database = Database::new("destinations").await;
    answer_one(&database, &CALLER).await;
    let called = called_until_done(&database, CALLS, &SOON_LEFT_ALONE).await;
    // Two calls to one that refuses were under way when the third failed.
    assert_eq!((called["hangs"], called["works"]), (2, CALLS));
    assert!((3..=4).contains(&called["refuses"]), "{called:?}");
}

/// Performs calls until so many are on record, and returns how often each kind of host was called.
async fn called_until_done(
    database: &Database,
    calls_done: usize,
    more: &[(&str, &str)],
) -> BTreeMap<String, usize> {
    let (url, mut requests) = command_api(Answers::new()).await;
    let settings = [
        ("TIDEMARK_COMMAND_API__URL", &*url),
        ("TIDEMARK_REACTOR__EFFECTS_IN_FLIGHT_MAX", "4"),
        ("TIDEMARK_REACTOR__DESTINATION_IN_FLIGHT_MAX", "2"),
    ];
    let config = database.config(&[&settings, more].concat());
    let (begun, mut calls) = mpsc::unbounded_channel();
    let (pool, stored) = (database.pool.clone(), watch::Sender::default());
    let sender = Sender::new(&config, pool, stored, present(database)).unwrap();
    let sending = sender.performing(Arc::new(CallHost(begun)));
    let sending = tokio::spawn(sending.run(CancellationToken::new()));
    for _ in 0..calls_done {
        requests.recv().await.unwrap();
    }
    sending.abort();
    let _ = sending.await;
    let mut called = BTreeMap::<String, usize>::new();
    while let Some(host) = calls.recv().await {
        *called.entry(host).or_default() += 1;
    }
    called
}

/// A process manager that has many hosts called for one user, all of which hang, and after them one for another.
const CALLER_FOR_TWO: ProcessManager = ProcessManager {
    name: "caller-for-two",
    event_types: &["auction.scheduled"],
    commands: &[],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        let call = |owner: u128, number: usize, host: &str| Action {
            name: format!("{owner}-{number}"),
            due_at: None,
            owner_id: Some(UserId(Uuid::from_u128(owner))),
            about: None,
            what: What::Effect {
                name: "call".to_owned(),
                destination: format!("{owner}-{number}"),
                body: json!({"host": host}),
            },
        };
        let greedy = (0..CALLS).map(|number| call(1, number, "hangs"));
        let other = (0..CALLS).map(|number| call(2, number, "works"));
        greedy.chain(other).collect()
    },
};

#[tokio::test]
async fn a_user_whose_calls_are_slow_holds_up_none_of_another() {
    let database = Database::new("owners").await;
    answer_one(&database, &CALLER_FOR_TWO).await;
    let most = [("TIDEMARK_REACTOR__OWNER_IN_FLIGHT_MAX", "3")];
    let called = called_until_done(&database, CALLS, &most).await;
    let hanging = called.get("hangs").copied().unwrap_or_default();
    assert!(hanging <= 3, "{hanging} calls of one user are under way");
}

/// A process manager that has somebody called who is elsewhere by then.
const MOVER: ProcessManager = ProcessManager {
    name: "mover",
    event_types: &["auction.scheduled"],
    commands: &[],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "call".to_owned(),
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Effect {
                name: "call".to_owned(),
                destination: "here".to_owned(),
                body: json!({"host": "moved"}),
            },
        }]
    },
};

#[tokio::test]
async fn an_effect_that_acts_elsewhere_by_now_is_tried_there_at_once() {
    let database = Database::new("elsewhere").await;
    answer_one(&database, &MOVER).await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let (begun, mut calls) = mpsc::unbounded_channel();
    let sending = sender(&database, &url).performing(Arc::new(CallHost(begun)));
    send(sending, &mut requests, 1).await;
    let sql = "select destination, attempts, outcome from reactor_actions";
    let row: (String, i32, String) = sqlx::query_as(sql)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    assert_eq!(row, ("there".to_owned(), 2, "done".to_owned()));
    assert!(calls.recv().await.is_some() && calls.recv().await.is_some());
}

/// What a projector of the build before does not say: whose an action is.
async fn store_as_an_older_build(database: &Database, host: &str, one_destination: bool) {
    let actions = (0..CALLS).map(|number| {
        let destination = if one_destination { 0 } else { number };
        json!({
            "position": 1,
            "target": format!("{host}-{number}"),
            "path": "",
            "effect": "call",
            "destination": format!("{host}-{destination}"),
            "body": {"host": host},
            "event_id": Uuid::from_u128(1),
            "correlation_id": Uuid::from_u128(2),
            "due_at": null,
            "about": null,
            "wait_s": 0,
            "is_newest": false,
        })
    });
    let stored = sqlx::query_scalar("select store_actions($1, $2)")
        .bind(CALLER_FOR_TWO.name)
        .bind(Value::Array(actions.collect()))
        .fetch_one(&*database.pool);
    let stored: i64 = stored.await.unwrap();
    assert_eq!(usize::try_from(stored), Ok(CALLS));
}

#[tokio::test]
async fn actions_that_an_older_build_has_stored_are_done_a_few_at_once_and_none_is_lost() {
    let database = Database::new("older_build").await;
    // Of some it is known whose they are, and they are done beside the others.
    answer_one(&database, &CALLER_FOR_TWO).await;
    store_as_an_older_build(&database, "works", false).await;
    store_as_an_older_build(&database, "hangs", true).await;
    let settings = [
        ("TIDEMARK_REACTOR__EFFECTS_IN_FLIGHT_MAX", "8"),
        ("TIDEMARK_REACTOR__OWNER_IN_FLIGHT_MAX", "3"),
    ];
    let called = called_until_done(&database, 2 * CALLS, &settings).await;
    assert_eq!(called["works"], 2 * CALLS);
    let hanging = called["hangs"];
    assert!(hanging <= 3 + 2, "{hanging} of a user and a destination");
    let left = "select count(*) filter (where owner_id is null), count(*)
                  from reactor_actions
                 where done_at is null and body ->> 'host' = 'hangs'";
    let left: (i64, i64) = sqlx::query_as(left)
        .fetch_one(&database.owner)
        .await
        .unwrap();
    let calls = i64::try_from(CALLS).unwrap();
    assert_eq!(left, (calls, 2 * calls), "each is tried until it is done");
}

//! Effects, performed against a command API that gives prepared answers.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use super::*;
use crate::reacting::effects::{Contact, Effect, Outcome, Performed};

/// A process manager that has something rung for each auction.
const RINGER: ProcessManager = ProcessManager {
    name: "ringer",
    event_types: &["auction.scheduled"],
    commands: &["record_ring"],
    fulfilled: &["rung_already"],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "ring".to_owned(),
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Effect {
                name: "ring".to_owned(),
                destination: String::new(),
                body: json!({"times": 3}),
            },
        }]
    },
};

/// An effect that tells each attempt, and does what is prepared.
struct Ring {
    attempts: UnboundedSender<i32>,
    /// How many attempts come to nothing.
    fails: i32,
    /// When it is to be tried again after one of these.
    after: Duration,
}

#[derive(Deserialize)]
struct Times {
    times: u32,
}

#[async_trait]
impl Effect for Ring {
    const NAME: &'static str = "ring";
    type Body = Times;

    async fn perform(&self, Times { times }: Times, _: &str, attempt: i32) -> Performed {
        self.attempts.send(attempt).unwrap();
        let outcome = if attempt > self.fails {
            Outcome::Over {
                path: "/v1/rings".to_owned(),
                body: Some(json!({"rung": times})),
            }
        } else {
            Outcome::Later {
                after: self.after,
                reason: "nobody hears it".to_owned(),
            }
        };
        Performed {
            outcome,
            contact: Some(Contact::Answered),
        }
    }
}

/// A database whose only event asks for a ring.
async fn with_ring(test: &str) -> Database {
    let database = Database::new(test).await;
    register(&database.pool, &[RINGER]).await.unwrap();
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    let events = database.append_shared(vec![event]).await;
    let mut reactor = Reactor::new(database.pool.clone(), &RINGER, watch::Sender::default());
    reactor.start().await.unwrap();
    reactor.apply(at(0), &page(&events)).await.unwrap();
    database
}

/// Lets a sender ring until the command API has received so many requests, and returns these and the numbers of the attempts.
async fn ring(
    database: &Database,
    fails: i32,
    answers: Answers,
    requests: usize,
) -> (Vec<Received>, Vec<i32>) {
    let (url, mut received) = command_api(answers).await;
    let (attempts, mut told) = mpsc::unbounded_channel();
    let effect = Arc::new(Ring {
        attempts,
        fails,
        after: Duration::from_millis(20),
    });
    let (stop, commands) = (CancellationToken::new(), sender(database, &url));
    let ringing = tokio::spawn(commands.clone().performing(effect).run(stop.clone()));
    let sent = send(commands, &mut received, requests).await;
    stop.cancel();
    ringing.await.unwrap();
    let mut attempts = Vec::new();
    while let Some(attempt) = told.recv().await {
        attempts.push(attempt);
    }
    (sent, attempts)
}

#[tokio::test]
async fn an_effect_is_performed_and_its_outcome_is_posted_under_the_key_of_the_action() {
    let database = with_ring("performed").await;
    let (requests, attempts) = ring(&database, 0, Answers::new(), 1).await;
    let [request] = &requests[..] else {
        panic!("one command: {requests:?}");
    };
    assert_eq!(
        (request.path.as_str(), request.body.as_str()),
        ("/v1/rings", r#"{"rung":3}"#)
    );
    let key = &request.headers["idempotency-key"];
    assert_eq!(key, "ringer-0000000000000001-ring");
    assert_eq!(attempts, [1]);
    let done = [("ring".to_owned(), 1, "done".to_owned())];
    assert_eq!(ended(&database).await, done);
}

#[tokio::test]
async fn an_effect_that_came_to_nothing_is_performed_again() {
    let database = with_ring("came_to_nothing").await;
    let (_, attempts) = ring(&database, 2, Answers::new(), 1).await;
    assert_eq!(attempts, [1, 2, 3]);
}

#[tokio::test]
async fn an_effect_is_not_performed_again_before_it_says() {
    let database = with_ring("not_before").await;
    let (url, _received) = command_api(Answers::new()).await;
    let (attempts, mut told) = mpsc::unbounded_channel();
    let effect = Arc::new(Ring {
        attempts,
        fails: 1,
        after: Duration::from_hours(1),
    });
    let stop = CancellationToken::new();
    let ringing = sender(&database, &url).performing(effect);
    let ringing = tokio::spawn(ringing.run(stop.clone()));
    told.recv().await.unwrap();
    stop.cancel();
    ringing.await.unwrap();
    let sql =
        "select next_attempt_at >= clock_timestamp() + interval '59 minutes' from reactor_actions";
    let is_later: bool = sqlx::query_scalar(sql)
        .fetch_one(&*database.pool)
        .await
        .unwrap();
    assert!(is_later);
}

#[tokio::test]
async fn an_outcome_that_is_not_taken_is_posted_again_and_the_effect_is_not_performed_again() {
    let database = with_ring("not_taken").await;
    let away = || (503, r#"{"code":"storage_unavailable"}"#.to_owned());
    let (requests, attempts) = ring(&database, 0, [away(), away()].into(), 3).await;
    let bodies: Vec<_> = requests.iter().map(|it| it.body.as_str()).collect();
    assert_eq!(bodies, [r#"{"rung":3}"#; 3]);
    assert_eq!(attempts, [1]);
    let done = [("ring".to_owned(), 3, "done".to_owned())];
    assert_eq!(ended(&database).await, done);
}

#[tokio::test]
async fn what_is_stored_wakes_the_senders_of_all_kinds() {
    let database = Database::new("wakes").await;
    register(&database.pool, &[RINGER]).await.unwrap();
    let (url, mut received) = command_api(Answers::new()).await;
    let (attempts, mut told) = mpsc::unbounded_channel();
    let (stored, stop) = (watch::Sender::default(), CancellationToken::new());
    // They look by themselves once, and then not before the test is over.
    let config = database.config(&[
        ("TIDEMARK_COMMAND_API__URL", &url),
        ("TIDEMARK_REACTOR__POLL_MS", "600000"),
        ("TIDEMARK_REACTOR__POLL_MAX_MS", "600000"),
    ]);
    let (pool, present) = (database.pool.clone(), present(&database));
    let commands = Sender::new(&config, pool, stored.clone(), present).unwrap();
    let effects = commands.clone().performing(Arc::new(Ring {
        attempts,
        fails: 0,
        after: Duration::ZERO,
    }));
    let senders = [commands, effects].map(|it| tokio::spawn(it.run(stop.clone())));
    while stored.receiver_count() < senders.len() {
        tokio::task::yield_now().await;
    }

    let event = scheduled(&database, 1, PAST, FUTURE).await;
    let events = database.append_shared(vec![event]).await;
    for process_manager in [TIMER, &RINGER] {
        let mut reactor = Reactor::new(database.pool.clone(), process_manager, stored.clone());
        reactor.start().await.unwrap();
        reactor.apply(at(0), &page(&events)).await.unwrap();
    }
    assert_eq!(told.recv().await, Some(1));
    for _ in 0..2 {
        received.recv().await.unwrap();
    }
    stop.cancel();
    for sender in senders {
        sender.await.unwrap();
    }
}

#[tokio::test]
async fn effects_that_nobody_performs_hold_up_no_command_and_are_kept() {
    let database = with_ring("nobody_performs").await;
    let event = scheduled(&database, 2, PAST, FUTURE).await;
    react(&database, 1, vec![event]).await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let received = send(sender(&database, &url), &mut requests, 1).await;
    assert!(received[0].path.ends_with("/open"), "{received:?}");
    let waiting = "select attempts from reactor_actions where effect = 'ring' and done_at is null";
    let attempts: Vec<i32> = sqlx::query_scalar(waiting)
        .fetch_all(&database.owner)
        .await
        .unwrap();
    assert_eq!(attempts, [0]);
}

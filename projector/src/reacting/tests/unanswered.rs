//! Events that a reactor cannot answer.

use super::*;
use crate::reacting::given_up;
use tidemark_read_models::operations::given_up::find;

/// Which actions there are, by position and target, and whether each has ended.
async fn actions(database: &Database) -> Vec<(i64, String, bool)> {
    let sql = "select position, target, done_at is not null from reactor_actions order by position, target";
    sqlx::query_as(sql)
        .fetch_all(&database.owner)
        .await
        .unwrap()
}

fn open(position: i64, target: &str) -> (i64, String, bool) {
    (position, target.to_owned(), false)
}

/// Has the reactor meet an event that it cannot read, though the log has it as it should be, and one after it.
async fn meet_unreadable(database: &Database) {
    let good = scheduled(database, 1, PAST, FUTURE).await;
    let next = scheduled(database, 2, PAST, FUTURE).await;
    let unreadable = Recorded {
        data: r#"{"auction_id": "\u202e"}"#.to_owned(),
        ..good.clone()
    };
    let stored = database.append_shared(vec![good, next]).await;
    let events = [Arc::new(unreadable), Arc::clone(&stored[1])];
    let applied = reactor(database)
        .apply(at(0), &page(&events))
        .await
        .unwrap();
    assert_eq!(applied.point, at(2));
    assert!(applied.blocked_by.is_none());
}

#[tokio::test]
async fn an_event_that_cannot_be_read_delays_no_other_and_is_kept_with_the_reason() {
    let database = Database::new("unanswered").await;
    meet_unreadable(&database).await;
    let expected = [
        (1, "answer".to_owned(), true),
        open(2, "close"),
        open(2, "open"),
    ];
    assert_eq!(actions(&database).await, expected);
    let found = find(&database.pool, TIMER.name, 1, "answer").await.unwrap();
    let found = found.expect("it is listed among the actions that were given up");
    assert_eq!((found.attempts, &*found.path), (1, ""));
    assert!(found.refusal.contains("auction"), "{}", found.refusal);
    assert!(found.refusal.is_ascii(), "it is plain: {}", found.refusal);
}

#[tokio::test]
async fn what_follows_from_an_event_is_stored_once_it_can_be_read() {
    let database = Database::new("answered").await;
    meet_unreadable(&database).await;
    let found = find(&database.pool, TIMER.name, 1, "answer").await.unwrap();
    given_up::retry(&database.pool, &found.unwrap())
        .await
        .unwrap();
    let (url, mut requests) = command_api(Answers::new()).await;
    let received = send(sender(&database, &url), &mut requests, 2).await;
    assert!(
        received.iter().all(|it| it.path.ends_with("/open")),
        "{received:?}"
    );
    let done = |target: &str, attempts| (target.to_owned(), attempts, "done".to_owned());
    let expected = [done("answer", 2), done("open", 1), done("open", 1)];
    assert_eq!(ended(&database).await, expected);
}

#[tokio::test]
async fn a_reactor_that_starts_answers_what_it_can_answer_now() {
    let database = Database::new("answered_later").await;
    meet_unreadable(&database).await;
    reactor(&database).start().await.unwrap();
    let expected = [
        (1, "answer".to_owned(), true),
        open(1, "close"),
        open(1, "open"),
        open(2, "close"),
        open(2, "open"),
    ];
    assert_eq!(actions(&database).await, expected);
    reactor(&database).start().await.unwrap();
    assert_eq!(actions(&database).await, expected, "once");
}

#[tokio::test]
async fn an_event_is_not_answered_after_an_operator_has_dropped_it() {
    let database = Database::new("dropped").await;
    meet_unreadable(&database).await;
    given_up::drop_action(&database.pool, TIMER.name, 1, "answer")
        .await
        .unwrap();
    reactor(&database).start().await.unwrap();
    let expected = [
        (1, "answer".to_owned(), true),
        open(2, "close"),
        open(2, "open"),
    ];
    assert_eq!(actions(&database).await, expected);
}

#[tokio::test]
async fn a_process_manager_that_panics_at_an_event_answers_the_next() {
    const FRAGILE: ProcessManager = ProcessManager {
        react: |event| {
            assert!(!matches!(event, Event::Auction(_)), "on purpose");
            Vec::new()
        },
        ..AUDITOR
    };
    let database = Database::new("panicking").await;
    register(&database.pool, &[FRAGILE]).await.unwrap();
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    let events = database.append_shared(vec![event]).await;
    let mut fragile = Reactor::new(database.pool.clone(), &FRAGILE, watch::Sender::default());
    let from = fragile.start().await.unwrap();
    let applied = fragile.apply(from, &page(&events)).await.unwrap();
    assert_eq!(applied.point, at(1));
    let found = find(&database.pool, FRAGILE.name, 1, "answer")
        .await
        .unwrap();
    assert_eq!(
        found.unwrap().refusal,
        "the process manager failed: on purpose"
    );
}

/// What follows from an auction that ends in a hundred years holds a character that Postgres does not store.
const STRANGE: ProcessManager = ProcessManager {
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { ends_at, .. }) = event else {
            return Vec::new();
        };
        let is_far = **ends_at > samples::at(0) + CENTURY / 2;
        let body = if is_far { "\0" } else { "as usual" };
        vec![Action {
            name: "audit".to_owned(),
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Command {
                path: "/v1/audits".to_owned(),
                body: Some(body.into()),
            },
        }]
    },
    ..AUDITOR
};
const CENTURY: TimeDelta = TimeDelta::days(36_525);

#[tokio::test]
async fn an_event_whose_answer_cannot_be_stored_delays_no_other() {
    let database = Database::new("not_stored").await;
    register(&database.pool, &[STRANGE]).await.unwrap();
    let mut events = Vec::new();
    for (position, end) in [(1, FUTURE), (2, CENTURY), (3, FUTURE)] {
        events.push(scheduled(&database, position, PAST, end).await);
    }
    let events = database.append_shared(events).await;
    let mut reactor = Reactor::new(database.pool.clone(), &STRANGE, watch::Sender::default());
    let from = reactor.start().await.unwrap();
    let applied = reactor.apply(from, &page(&events)).await.unwrap();
    assert_eq!((applied.point, applied.checkpoint), (at(3), 3));
    let expected = [
        open(1, "audit"),
        (2, "answer".to_owned(), true),
        open(3, "audit"),
    ];
    assert_eq!(actions(&database).await, expected);
    let found = find(&database.pool, STRANGE.name, 2, "answer")
        .await
        .unwrap();
    let refusal = found.unwrap().refusal;
    assert!(refusal.contains("cannot be stored"), "{refusal}");
    // The next process tries it again, in vain, and goes on.
    assert_eq!(reactor.start().await.unwrap(), at(3));
    assert_eq!(actions(&database).await, expected);
}

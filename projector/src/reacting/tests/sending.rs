//! When an action is sent, and what ends it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::*;
use crate::reacting::endings::Endings;

#[tokio::test]
async fn an_action_that_is_due_is_sent_and_another_waits() {
    let database = Database::new("due").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    react(&database, 0, vec![event.clone()]).await;
    let received = send(sender(&database, &url), &mut requests, 1).await;

    let [Received { path, headers, .. }] = &received[..] else {
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
        (404, r#"{"code":"not_found"}"#.to_owned()),
        (405, r#"{"code":"method_not_allowed"}"#.to_owned()),
        (415, r#"{"code":"unsupported_media_type"}"#.to_owned()),
        (200, "another server".to_owned()),
    ];
    let (url, mut requests) = command_api(answers.into()).await;
    react(
        &database,
        0,
        vec![scheduled(&database, 1, PAST, FUTURE).await],
    )
    .await;
    let received = send(sender(&database, &url), &mut requests, 9).await;
    let keys: BTreeSet<_> = received
        .iter()
        .map(|received| &received.headers["idempotency-key"])
        .collect();
    assert_eq!(keys.len(), 1);
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 9, "done".to_owned())]
    );
}

#[tokio::test]
async fn a_final_refusal_of_the_command_ends_an_action() {
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
async fn an_outcome_that_postgres_refuses_keeps_no_other_action_from_its_end() {
    let database = Database::new("ends").await;
    let event = scheduled(&database, 1, PAST, PAST).await;
    react(&database, 0, vec![event]).await;
    let taken = take(&database.pool, Duration::from_secs(9)).await;
    let [one, other] = &taken[..] else {
        unreachable!()
    };
    let endings = Endings::new(database.pool.clone(), 32);
    let (refused, recorded) = tokio::join!(endings.end(one, "\0"), endings.end(other, "done"));
    assert!(refused.is_err());
    recorded.unwrap();
    assert_eq!(
        ended(&database).await,
        [(other.target.clone(), 1, "done".to_owned())]
    );
}

#[tokio::test]
async fn a_busy_sender_looks_for_due_actions_once_in_a_while() {
    const ACTIONS: u32 = 6;
    let database = Database::new("turns").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    let mut events = Vec::new();
    for position in 1..=i64::from(ACTIONS) {
        events.push(scheduled(&database, position, PAST, FUTURE).await);
    }
    react(&database, 0, events).await;
    let interval = Duration::from_millis(50);
    let sender = sender_with(
        &database,
        &url,
        &[
            ("TIDEMARK_REACTOR__IN_FLIGHT_MAX", "1"),
            ("TIDEMARK_REACTOR__TAKE_INTERVAL_MS", "50"),
        ],
    );
    let began = Instant::now();
    send(sender, &mut requests, ACTIONS as usize).await;
    assert!(began.elapsed() >= interval * (ACTIONS - 2));
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
    let received = send(sender(&database, &url), &mut requests, 2).await;
    assert!(received[0].path.ends_with("/open") && received[1].path.ends_with("/close"));
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
    let taken = take(&database.pool, Duration::from_secs(2)).await;
    assert_eq!(taken.len(), 1);
    let none = take(&database.pool, Duration::from_secs(9)).await;
    assert!(none.is_empty(), "another sender has taken it");
    send(sender(&database, &url), &mut requests, 1).await;
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 2, "done".to_owned())]
    );

    let endings = Endings::new(database.pool.clone(), 32);
    endings.end(&taken[0], "by a zombie").await.unwrap();
    assert_eq!(
        ended(&database).await,
        [("open".to_owned(), 2, "done".to_owned())]
    );
}

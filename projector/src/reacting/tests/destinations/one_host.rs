//! Users who have one host called, whose calls are slow or too many.

use super::*;

/// What is done when an auction is scheduled: one host is called many times for one user after the other, each with another word for
/// what comes of that.
fn call_one_host_for_each(event: &Event, hows: &[&str]) -> Vec<Action> {
    let Event::Auction(auction::Event::Scheduled { .. }) = event else {
        return Vec::new();
    };
    let call = |owner: u128, number: usize, how: &str| Action {
        name: format!("{owner}-{number:02}"),
        due_at: None,
        owner_id: Some(UserId(Uuid::from_u128(owner))),
        about: None,
        what: What::Effect {
            name: "call".to_owned(),
            destination: "shared".to_owned(),
            body: json!({"host": how}),
        },
    };
    let calls = (1..).zip(hows).map(|(owner, how)| {
        let calls = (0..CALLS).map(move |number| call(owner, number, how));
        calls.collect::<Vec<_>>()
    });
    calls.flatten().collect()
}

const CALLER_OF_SLOW: ProcessManager = ProcessManager {
    react: |event| call_one_host_for_each(event, &["hangs", "works"]),
    ..CALLER_FOR_TWO
};

const CALLER_OF_TWO_SLOW: ProcessManager = ProcessManager {
    react: |event| call_one_host_for_each(event, &["hangs", "hangs", "works"]),
    ..CALLER_FOR_TWO
};

const CALLER_OF_BUSY: ProcessManager = ProcessManager {
    react: |event| call_one_host_for_each(event, &["too-much", "works"]),
    ..CALLER_FOR_TWO
};

#[tokio::test]
async fn a_user_whose_calls_are_slow_holds_up_none_of_another_at_the_same_host() {
    let database = Database::new("owners_at_one").await;
    answer_one(&database, &CALLER_OF_SLOW).await;
    let most = [("TIDEMARK_REACTOR__OWNER_PER_DESTINATION_IN_FLIGHT_MAX", "1")];
    let called = called_until_done(&database, CALLS, &most).await;
    assert_eq!((called["hangs"], called["works"]), (1, CALLS));
}

#[tokio::test]
async fn two_users_whose_calls_are_slow_hold_up_none_of_a_third_at_the_same_host() {
    let database = Database::new("three_at_one").await;
    answer_one(&database, &CALLER_OF_TWO_SLOW).await;
    // Two users with two each would have all.
    let places = [
        ("TIDEMARK_REACTOR__DESTINATION_IN_FLIGHT_MAX", "4"),
        ("TIDEMARK_REACTOR__OWNER_PER_DESTINATION_IN_FLIGHT_MAX", "2"),
    ];
    let called = called_until_done(&database, CALLS, &places).await;
    assert_eq!(called["works"], CALLS);
    let hanging = called.get("hangs").copied().unwrap_or_default();
    assert!(hanging <= 3, "{hanging} of four places are taken");
}

#[tokio::test]
async fn a_user_who_asks_too_much_of_a_host_is_kept_from_it_and_another_is_not() {
    let database = Database::new("busy_for_one").await;
    answer_one(&database, &CALLER_OF_BUSY).await;
    let called = called_until_done(&database, CALLS, &SOON_LEFT_ALONE).await;
    assert_eq!(called["works"], CALLS);
    // One more was under way when the third failed.
    assert!((3..=4).contains(&called["too-much"]), "{called:?}");
}

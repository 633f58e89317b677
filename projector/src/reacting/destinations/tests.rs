use std::iter;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const ALICE: Option<Uuid> = Some(Uuid::from_u128(1));
const BOB: Option<Uuid> = Some(Uuid::from_u128(2));

fn destinations() -> Destinations {
    let limits = Limits {
        in_flight_max: 3,
        owner_in_flight_max: 2,
        failures_max: 2,
        pause_min: SECOND,
        pause_max: 3 * SECOND,
    };
    Destinations::new("ring", limits)
}

/// How many more calls the destination `a` may have of this user, or with none of nobody.
fn room_of(destinations: &Destinations, owner_id: Option<Uuid>) -> usize {
    let calls = iter::from_fn(|| destinations.begin("a".to_owned(), owner_id));
    calls.collect::<Vec<_>>().len()
}

fn room(destinations: &Destinations) -> usize {
    room_of(destinations, None)
}

/// A call that there is room for.
fn begin(destinations: &Destinations, name: &str, owner_id: Option<Uuid>) -> Call {
    destinations.begin(name.to_owned(), owner_id).unwrap()
}

fn call_of(destinations: &Destinations, owner_id: Option<Uuid>, contact: Contact) {
    begin(destinations, "a", owner_id).tell(contact);
}

fn call(destinations: &Destinations, has_answered: bool) {
    let contact = if has_answered {
        Contact::Answered
    } else {
        Contact::Unanswered
    };
    call_of(destinations, None, contact);
}

/// How many destinations are known, those of each user counted apart.
fn known(destinations: &Destinations) -> usize {
    destinations.more_at();
    destinations.known().len()
}

#[tokio::test(start_paused = true)]
async fn calls_in_flight_take_room_until_they_end() {
    let destinations = destinations();
    let call = |name: &str| begin(&destinations, name, None);
    let calls: Vec<_> = (0..3).map(|_| call("a")).collect();
    let other = call("b");
    assert_eq!(room(&destinations), 0);
    drop(calls);
    assert_eq!(room(&destinations), 3);
    drop(other);
    assert_eq!(known(&destinations), 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_leaves_room_for_others_at_a_destination() {
    let destinations = destinations();
    let call = || begin(&destinations, "a", ALICE);
    let calls = [call(), call()];
    assert_eq!(room_of(&destinations, ALICE), 0);
    assert_eq!(room_of(&destinations, BOB), 1);
    assert_eq!(room(&destinations), 1);
    drop(calls);
    assert_eq!(room_of(&destinations, ALICE), 2);
    assert_eq!(known(&destinations), 0);
}

#[tokio::test(start_paused = true)]
async fn each_user_leaves_more_places_free_than_the_user_has() {
    let limits = Limits {
        in_flight_max: 8,
        owner_in_flight_max: 8,
        ..destinations().limits
    };
    let destinations = Destinations::new("ring", limits);
    let mut calls = Vec::new();
    for (user, most) in [(1, 4), (2, 2), (3, 1), (4, 1)] {
        let user = Some(Uuid::from_u128(user));
        let begun = iter::from_fn(|| destinations.begin("a".to_owned(), user));
        let begun: Vec<_> = begun.collect();
        assert_eq!(begun.len(), most, "{user:?}");
        calls.extend(begun);
    }
    assert_eq!(room(&destinations), 0);
    calls.clear();
    assert_eq!(known(&destinations), 0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_left_alone_longer_and_longer_and_then_called_once() {
    let destinations = destinations();
    call(&destinations, false);
    assert_eq!(room(&destinations), 3);
    for seconds in [1, 2, 3, 3] {
        call(&destinations, false);
        assert_eq!(room(&destinations), 0);
        let until = Instant::now() + seconds * SECOND;
        assert_eq!(destinations.more_at(), Some(until));
        tokio::time::advance(seconds * SECOND).await;
        assert_eq!(room(&destinations), 1);
        assert_eq!(destinations.more_at(), None);
    }
    call(&destinations, true);
    assert_eq!(room(&destinations), 3);
    assert_eq!(known(&destinations), 0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_a_user_is_called_for_others() {
    let destinations = destinations();
    for _ in 0..2 {
        call_of(&destinations, ALICE, Contact::Unanswered);
    }
    assert_eq!(room_of(&destinations, ALICE), 0);
    let until = Instant::now() + SECOND;
    assert_eq!(destinations.more_at(), Some(until));
    assert_eq!(room_of(&destinations, BOB), 2);
    assert_eq!(room(&destinations), 3);
    tokio::time::advance(SECOND).await;
    assert_eq!(room_of(&destinations, ALICE), 1);
    call_of(&destinations, ALICE, Contact::Answered);
    assert_eq!(room_of(&destinations, ALICE), 2);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_is_left_alone_by_all() {
    let destinations = destinations();
    call_of(&destinations, ALICE, Contact::Unreachable);
    call_of(&destinations, BOB, Contact::Unanswered);
    call_of(&destinations, ALICE, Contact::Unreachable);
    assert_eq!(room(&destinations), 3, "it was reached in between");
    call_of(&destinations, BOB, Contact::Unreachable);
    assert_eq!(room(&destinations), 0);
    tokio::time::advance(SECOND).await;
    call_of(&destinations, BOB, Contact::Answered);
    assert_eq!(room(&destinations), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_that_were_in_flight_when_it_was_left_alone_make_it_no_longer() {
    let destinations = destinations();
    let calls: Vec<_> = (0..3).map(|_| begin(&destinations, "a", None)).collect();
    for call in &calls {
        call.tell(Contact::Unanswered);
    }
    assert_eq!(destinations.more_at(), Some(Instant::now() + SECOND));
}

#[tokio::test(start_paused = true)]
async fn an_answer_between_failures_begins_their_count_anew() {
    let destinations = destinations();
    for has_answered in [false, true, false] {
        call(&destinations, has_answered);
    }
    assert_eq!(room(&destinations), 3);
}

#[tokio::test(start_paused = true)]
async fn who_failed_and_is_called_no_more_is_forgotten() {
    let destinations = destinations();
    call_of(&destinations, ALICE, Contact::Unanswered);
    for _ in 0..2 {
        call_of(&destinations, BOB, Contact::Unreachable);
    }
    assert_eq!(known(&destinations), 2);
    // The one who had one failure only; the other is left alone for a second first.
    tokio::time::advance(3 * SECOND).await;
    assert_eq!(known(&destinations), 1);
    let in_flight = begin(&destinations, "a", None);
    tokio::time::advance(SECOND).await;
    assert_eq!(known(&destinations), 1, "it is called");
    in_flight.tell(Contact::Unreachable);
    drop(in_flight);
    assert_eq!(destinations.more_at(), Some(Instant::now() + 2 * SECOND));
    tokio::time::advance(5 * SECOND).await;
    assert_eq!(known(&destinations), 0);
}

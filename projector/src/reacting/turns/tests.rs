use super::*;
use crate::reacting::destinations::Limits;

const PLACES: usize = 8;

fn turns() -> Turns {
    let limits = Limits {
        in_flight_max: 4,
        owner_in_flight_max: 2,
        failures_max: 1,
        pause_min: Duration::from_secs(1),
        pause_max: Duration::from_secs(1),
    };
    Turns::new(Destinations::new("call", limits), Owners::new(3))
}

/// What is due for this user, or with 0 for nobody, at this destination.
fn queue(owner: u128, destination: &str) -> Queue {
    Queue {
        owner_id: (owner > 0).then_some(Uuid::from_u128(owner)),
        destination: destination.to_owned(),
        due_in: Duration::ZERO,
    }
}

/// A queue of this user at each of so many destinations.
fn at_many(owner: u128, destinations: usize) -> Vec<Queue> {
    let destinations = (0..destinations).map(|it| format!("{owner}-{it}"));
    destinations.map(|it| queue(owner, &it)).collect()
}

/// Whose turns these are.
fn owners(turns: &[Turn]) -> Vec<u128> {
    let owners = turns.iter().map(|it| it.owner_id.unwrap_or_default());
    owners.map(|it| it.as_u128()).collect()
}

#[tokio::test]
async fn users_get_as_many_turns_as_the_bounds_allow() {
    let mut turns = turns();
    let of_one = turns.begin(vec![queue(1, "a"), queue(1, "b")], PLACES);
    assert_eq!(owners(&of_one), [1, 1, 1], "three wherever they lead");
    let of_other = turns.begin(vec![queue(2, "b")], PLACES - 3);
    assert!(of_other.len() < 3, "two at one destination");
    assert!(turns.begin(vec![queue(1, "c")], 3).is_empty());
    drop(of_one);
    assert_eq!(turns.begin(vec![queue(1, "c")], PLACES).len(), 2);
}

#[tokio::test]
async fn what_is_nobodys_is_bounded_by_its_destination() {
    let mut turns = turns();
    let begun = turns.begin(vec![queue(0, ""), queue(0, "there")], 6);
    assert_eq!(begun.len(), 6);
    let of_one = begun.iter().filter(|it| it.destination.is_empty());
    assert_eq!(of_one.count(), 3, "they take turns");
}

#[tokio::test]
async fn many_users_with_slow_calls_leave_a_place_to_whoever_comes() {
    let mut turns = turns();
    let greedy: Vec<_> = (1..=4).flat_map(|owner| at_many(owner, 100)).collect();
    let mut under_way = Vec::new();
    loop {
        let begun = turns.begin(greedy.clone(), PLACES - under_way.len());
        if begun.is_empty() {
            break;
        }
        under_way.extend(begun);
    }
    assert!(under_way.len() < PLACES, "a place is left");
    let queues = [greedy, at_many(9, 1)].concat();
    let next = turns.begin(queues, PLACES - under_way.len());
    assert_eq!(owners(&next)[0], 9);
}

#[tokio::test]
async fn who_waits_has_a_turn_before_those_who_had_one() {
    let mut turns = turns();
    let destination = "shared";
    let greedy: Vec<_> = (1..=12).map(|it| queue(it, destination)).collect();
    let mut under_way = turns.begin(greedy.clone(), PLACES);
    assert_eq!(under_way.len(), 4);
    // One call after the other ends, and somebody else waits, too.
    let queues = [greedy, vec![queue(99, destination)]].concat();
    let mut next = Vec::new();
    for _ in 0..9 {
        under_way.remove(0);
        let begun = turns.begin(queues.clone(), PLACES - under_way.len());
        next.extend(owners(&begun));
        under_way.extend(begun);
    }
    assert!(next.contains(&99), "{next:?}");
    next.sort_unstable();
    next.dedup();
    assert_eq!(next.len(), 9, "nobody has two turns before each had one");
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_is_left_alone_has_no_turn_until_then() {
    let mut turns = turns();
    for turn in turns.begin(vec![queue(1, "away")], 1) {
        turn.call
            .tell(crate::reacting::effects::Contact::Unreachable);
    }
    let begun = turns.begin(vec![queue(2, "away"), queue(2, "there")], PLACES);
    let destinations: Vec<_> = begun.iter().map(|it| &*it.destination).collect();
    assert_eq!(destinations, ["there", "there"]);
    drop(begun);
    let more_at = turns.more_at().unwrap();
    tokio::time::sleep_until(more_at).await;
    assert_eq!(turns.begin(vec![queue(2, "away")], PLACES).len(), 1);
}

#[tokio::test]
async fn whoever_waits_no_more_is_forgotten() {
    let mut turns = turns();
    let begun = turns.begin((1..=9).map(|it| queue(it, &it.to_string())).collect(), 9);
    assert_eq!((begun.len(), turns.last.len()), (9, 9));
    turns.begin(Vec::new(), 1);
    assert_eq!(turns.last.len(), 9, "their calls are under way");
    drop(begun);
    turns.begin(Vec::new(), 1);
    assert_eq!(turns.last.len(), 0);
}

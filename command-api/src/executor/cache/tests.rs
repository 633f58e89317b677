//! When a stream is known to be in the log as it is in the cache, and what the cache keeps.

use tidemark_domain::ClaimScope;
use tidemark_events::samples::{AUCTION, at};
use tidemark_events::{Event, samples};

use super::*;

const STREAM: Uuid = AUCTION.0;

fn loaded(events: usize) -> LoadedStream {
    let mut loaded = LoadedStream::default();
    for event in events_of_an_auction().take(events) {
        loaded.apply(&event, at(0));
    }
    loaded
}

fn events_of_an_auction() -> impl Iterator<Item = Event> {
    let all = samples::all().into_iter();
    all.filter(|event| matches!(event, Event::Auction(_)))
}

/// A cache with a stream that batch 1 has found in the log as it is here.
fn cache_that_knows() -> Cache {
    let mut cache = Cache::new(usize::MAX);
    cache.insert_stream(STREAM, loaded(1));
    cache.set_asked(STREAM, 1);
    cache.set_found(STREAM, 1);
    cache
}

#[test]
fn a_stream_is_known_once_an_append_has_found_it() {
    let mut cache = Cache::new(usize::MAX);
    assert!(!cache.is_known(STREAM), "it is not there");
    cache.insert_stream(STREAM, loaded(1));
    assert!(!cache.is_known(STREAM), "it is only loaded");
    cache.set_found(STREAM, 1);
    assert!(!cache.is_known(STREAM), "the batch did not ask for it");
    cache.set_asked(STREAM, 2);
    assert!(!cache.is_known(STREAM), "the batch is not answered");
    cache.set_found(STREAM, 2);
    assert!(cache.is_known(STREAM));
    let next = events_of_an_auction().nth(1).unwrap();
    cache.apply(STREAM, &next, at(1));
    assert!(cache.is_known(STREAM), "the decision is the executor's own");
}

#[test]
fn a_stream_that_every_batch_uses_is_known_although_the_next_one_is_sent_before_the_answer_is_read()
{
    let mut cache = Cache::new(usize::MAX);
    cache.insert_stream(STREAM, loaded(1));
    cache.set_asked(STREAM, 1);
    cache.set_asked(STREAM, 2);
    cache.set_found(STREAM, 1);
    assert!(cache.is_known(STREAM));
}

#[test]
fn a_stream_that_was_loaded_again_while_its_append_was_on_its_way_is_not_known() {
    let mut cache = Cache::new(usize::MAX);
    cache.insert_stream(STREAM, loaded(2));
    cache.set_asked(STREAM, 1);
    cache.evict_stream(STREAM);
    cache.insert_stream(STREAM, loaded(1));
    cache.set_found(STREAM, 1);
    assert!(!cache.is_known(STREAM));
}

#[test]
fn a_stream_of_which_something_else_is_said_is_not_known_any_more() {
    let mut cache = cache_that_knows();
    cache.insert_stream(STREAM, loaded(2));
    assert!(!cache.is_known(STREAM), "a newer state was loaded");

    let mut cache = cache_that_knows();
    cache.restore_stream(STREAM, Some(loaded(1)));
    assert!(!cache.is_known(STREAM), "a decision was taken back");

    let mut cache = cache_that_knows();
    cache.note_foreign_append();
    assert!(!cache.is_known(STREAM), "another executor has appended");
    cache.set_asked(STREAM, 2);
    cache.set_found(STREAM, 2);
    assert!(cache.is_known(STREAM), "it was found again since");
}

fn claim(number: usize) -> Claim {
    Claim {
        scope: ClaimScope::Email,
        key: number.to_string(),
    }
}

#[test]
fn a_claim_that_was_loaded_late_is_not_taken_for_newer_than_one_that_is_known() {
    let mut cache = Cache::new(usize::MAX);
    cache.insert_claim(claim(1), Some(STREAM));
    cache.insert_unknown_claim(claim(1), None);
    assert_eq!(cache.owner(&claim(1)), Some(Some(STREAM)));
}

#[test]
fn a_full_cache_keeps_the_few_claims_beside_its_many_streams() {
    let mut cache = Cache::new(100_000);
    for number in 0..10 {
        cache.insert_claim(claim(number), None);
    }
    for number in 0..10_000 {
        cache.insert_stream(Uuid::from_u128(number), LoadedStream::default());
    }
    cache.shrink();
    assert!((0..10).all(|number| cache.owner(&claim(number)).is_some()));
    assert!(cache.streams.len() > 100, "{}", cache.streams.len());
}

#[test]
fn streams_without_events_count_as_what_they_take_and_a_cache_that_evicts_all_counts_nothing() {
    let mut cache = Cache::new(0);
    cache.insert_stream(STREAM, LoadedStream::default());
    assert!(cache.bytes > 120, "{}", cache.bytes);
    for event in events_of_an_auction() {
        cache.apply(STREAM, &event, at(1));
    }
    cache.insert_claim(claim(1), None);
    cache.evict_stream(STREAM);
    cache.evict_claim(&claim(1));
    assert_eq!(cache.bytes, 0);
    for number in 0..3 {
        cache.insert_claim(claim(number), None);
    }
    cache.shrink();
    assert_eq!((cache.bytes, cache.claims.len()), (0, 0));
}

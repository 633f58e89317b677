//! Snapshots give the same state again, and no state changes its text without another state version.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemark_events::Aggregate;
use tidemark_events::market::auction;
use tidemark_events::samples::{
    AUCTION, BIDDER, PRODUCT, SELLER, all, at, before_rules, euro_cents, moment,
};

use super::*;
use crate::LoadedStream;
use crate::market::auction::Auction;

/// The state after each sample event, with the aggregate and the type of that event.
fn states() -> Vec<(Aggregate, String, LoadedStream)> {
    let mut states = Vec::new();
    let mut folded: BTreeMap<Aggregate, Vec<Event>> = BTreeMap::new();
    for event in all() {
        let aggregate = event.aggregate();
        let events = folded.entry(aggregate).or_default();
        let after = event.encode().unwrap().event_type;
        events.push(event);
        states.push((aggregate, after, fold(events)));
    }
    states
}

fn fold(events: &[Event]) -> LoadedStream {
    let mut loaded = LoadedStream::default();
    for (second, event) in (0..).zip(events) {
        loaded.apply(event, at(second));
    }
    loaded
}

fn through_snapshot(aggregate: Aggregate, loaded: &LoadedStream) -> LoadedStream {
    let snapshot = loaded.snapshot().unwrap().unwrap();
    let last_at = loaded.last_at.unwrap();
    LoadedStream::from_snapshot(aggregate, &snapshot, loaded.version, last_at).unwrap()
}

#[test]
fn every_state_survives_a_snapshot() {
    for (aggregate, after, loaded) in states() {
        let restored = through_snapshot(aggregate, &loaded);
        assert_eq!(
            restored.snapshot().unwrap(),
            loaded.snapshot().unwrap(),
            "{after}"
        );
        assert_eq!(restored.version, loaded.version);
        assert_eq!(restored.last_at, loaded.last_at);
    }
}

#[test]
fn a_state_of_values_that_rules_refuse_now_is_read_from_its_snapshot() {
    for event in before_rules() {
        let loaded = fold(std::slice::from_ref(&event));
        let restored = through_snapshot(event.aggregate(), &loaded);
        assert_eq!(restored.snapshot().unwrap(), loaded.snapshot().unwrap());
    }
}

/// If an existing entry changes its shape, raise the `STATE_VERSION` of the aggregate's state: otherwise
/// this build misreads the snapshots of the build before. New entries need nothing.
#[test]
fn the_text_of_every_state_is_pinned() {
    let pinned: Vec<Value> = states()
        .into_iter()
        .map(|(_, after, loaded)| {
            let snapshot = loaded.snapshot().unwrap().unwrap();
            let state: Value = serde_json::from_str(&snapshot.state).unwrap();
            json!({"after": after, "state_version": snapshot.state_version, "state": state})
        })
        .collect();
    insta::assert_json_snapshot!("states", pinned);
}

#[test]
fn a_snapshot_of_another_state_version_is_not_used() {
    let (aggregate, _, loaded) = states().pop().unwrap();
    let snapshot = loaded.snapshot().unwrap().unwrap();
    let other = StateSnapshot {
        state_version: snapshot.state_version + 1,
        ..snapshot.clone()
    };
    assert!(LoadedStream::from_snapshot(aggregate, &other, 1, at(0)).is_none());
    let broken = StateSnapshot {
        state: "{}".to_owned(),
        ..snapshot
    };
    assert!(LoadedStream::from_snapshot(aggregate, &broken, 1, at(0)).is_none());
}

/// The events of an auction with so many bids, some of which extend it.
fn long_auction(bids: usize) -> Vec<Event> {
    let mut events: Vec<_> = all()
        .into_iter()
        .filter(|event| event.aggregate() == Aggregate::Auction)
        .take_while(|event| !matches!(event, Event::Auction(auction::Event::BidPlaced { .. })))
        .collect();
    for (amount, second) in (10_000..).zip(0..).take(bids) {
        events.push(
            auction::Event::BidPlaced {
                auction_id: AUCTION,
                product_id: PRODUCT,
                seller_id: SELLER,
                bidder_id: BIDDER,
                amount: euro_cents(amount).into(),
                reserve_met: false,
                outbid_id: None,
            }
            .into(),
        );
        if second % 7 == 0 {
            events.push(
                auction::Event::Extended {
                    auction_id: AUCTION,
                    product_id: PRODUCT,
                    seller_id: SELLER,
                    ends_at: moment(1_000 + second).into(),
                }
                .into(),
            );
        }
    }
    events
}

proptest! {
    #[test]
    fn a_snapshot_and_later_events_give_the_state_of_all_events(
        bids in 0_usize..300,
        place in any::<prop::sample::Index>(),
    ) {
        let events = long_auction(bids);
        let place = 1 + place.index(events.len());
        let mut loaded = through_snapshot(Aggregate::Auction, &fold(&events[..place]));
        for (second, event) in (0..).zip(&events).skip(place) {
            loaded.apply(event, at(second));
        }
        let whole = fold(&events);
        prop_assert_eq!(loaded.state::<Auction>(), whole.state::<Auction>());
        prop_assert_eq!((loaded.version, loaded.last_at), (whole.version, whole.last_at));
    }
}

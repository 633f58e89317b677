//! States survive being kept, and none changes its text without another version.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use tidemark_events::Aggregate;
use tidemark_events::market::auction;
use tidemark_events::samples::{AUCTION, BIDDER, PRODUCT, SELLER, all, at, euro_cents};

use super::*;
use crate::Loaded;
use crate::market::auction::Auction;

/// The state after all samples of each aggregate, and after each of them on the way.
fn states() -> Vec<(Aggregate, String, Loaded)> {
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

fn fold(events: &[Event]) -> Loaded {
    let mut loaded = Loaded::default();
    for (second, event) in (0..).zip(events) {
        loaded.apply(event, at(second));
    }
    loaded
}

fn keep_and_restore(aggregate: Aggregate, loaded: &Loaded) -> Loaded {
    let kept = loaded.snapshot().unwrap().unwrap();
    let last_at = loaded.last_at.unwrap();
    Loaded::from_snapshot(aggregate, &kept, loaded.version, last_at).unwrap()
}

#[test]
fn every_state_survives() {
    for (aggregate, after, loaded) in states() {
        let restored = keep_and_restore(aggregate, &loaded);
        assert_eq!(
            restored.snapshot().unwrap(),
            loaded.snapshot().unwrap(),
            "{after}"
        );
        assert_eq!(restored.version, loaded.version);
        assert_eq!(restored.last_at, loaded.last_at);
    }
}

/// Where this fails, raise the aggregate's `STATE_VERSION`: else states that were kept by the build
/// before are misread.
#[test]
fn kept_states_are_pinned() {
    let pinned: Vec<Value> = states()
        .into_iter()
        .map(|(_, after, loaded)| {
            let kept = loaded.snapshot().unwrap().unwrap();
            let state: Value = serde_json::from_str(&kept.state).unwrap();
            json!({"after": after, "state_version": kept.state_version, "state": state})
        })
        .collect();
    insta::assert_json_snapshot!("kept", pinned);
}

#[test]
fn what_another_build_kept_is_not_used() {
    let (aggregate, _, loaded) = states().pop().unwrap();
    let kept = loaded.snapshot().unwrap().unwrap();
    let other = StateSnapshot {
        state_version: kept.state_version + 1,
        ..kept.clone()
    };
    assert!(Loaded::from_snapshot(aggregate, &other, 1, at(0)).is_none());
    let broken = StateSnapshot {
        state: "{}".to_owned(),
        ..kept
    };
    assert!(Loaded::from_snapshot(aggregate, &broken, 1, at(0)).is_none());
}

/// An auction with that many bids, some of which move its end.
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
                amount: euro_cents(amount),
                reserve_met: false,
            }
            .into(),
        );
        if second % 7 == 0 {
            events.push(
                auction::Event::Extended {
                    auction_id: AUCTION,
                    product_id: PRODUCT,
                    seller_id: SELLER,
                    ends_at: at(1_000 + second),
                }
                .into(),
            );
        }
    }
    events
}

proptest! {
    #[test]
    fn what_was_kept_and_the_rest_make_the_same_as_everything(bids in 0_usize..300, at_share in 0.0..1.0_f64) {
        let events = long_auction(bids);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss, reason = "some place among them")]
        let place = 1 + (at_share * (events.len() - 1) as f64) as usize;
        let mut loaded = keep_and_restore(Aggregate::Auction, &fold(&events[..place]));
        for (second, event) in (0..).zip(&events).skip(place) {
            loaded.apply(event, at(second));
        }
        let whole = fold(&events);
        prop_assert_eq!(loaded.state::<Auction>(), whole.state::<Auction>());
        prop_assert_eq!((loaded.version, loaded.last_at), (whole.version, whole.last_at));
    }
}

//! What is withdrawn from a batch leaves the cache as it was before.

use std::collections::HashSet;

use tidemark_domain::States;

use super::*;

#[test]
fn only_groups_that_used_what_moved_are_withdrawn() {
    let list = || {
        queued(
            SELLER,
            PRODUCT.0,
            List {
                product_id: PRODUCT,
            },
        )
    };
    let mut cache = cache();
    let mut batch = Batch::default();
    for command in [bid(10_000), list(), bid(10_500)] {
        let decided = batch.decide(command, &mut cache, at(10), &settings());
        assert!(matches!(decided, DecideResult::InBatch));
    }
    let unused = HashSet::from([ConflictKey::Stream(Uuid::nil())]);
    assert!(batch.withdraw_users(&unused, &mut cache).is_empty());
    let moved = HashSet::from([ConflictKey::Stream(AUCTION.0)]);
    let withdrawn = batch.withdraw_users(&moved, &mut cache);
    assert!(
        withdrawn
            .iter()
            .all(|m| m.queued.submission.stream_id == AUCTION.0)
    );
    assert_eq!((withdrawn.len(), batch.commands.len()), (2, 1));
    assert_eq!(cache.version(AUCTION.0), Some(2), "as before the batch");
    assert_eq!(cache.version(PRODUCT.0), Some(2), "still ahead of the log");

    // Somebody else has bid meanwhile.
    let samples = tidemark_events::samples::all();
    let mut placed = samples
        .iter()
        .filter(|e| matches!(e, Event::Auction(auction::Event::BidPlaced { .. })));
    cache.apply(AUCTION.0, placed.next().unwrap(), at(5));
    for command in withdrawn {
        let decided = batch.decide(command.queued, &mut cache, at(10), &settings());
        assert!(matches!(decided, DecideResult::InBatch));
    }
    let (groups, _, _) = batch.into_groups(&mut cache, 1);
    assert_eq!(groups[0].events[0].stream_id, PRODUCT.0);
    assert!(groups[0].streams.contains(&(PRODUCT.0, 1)));
    let bids: Vec<_> = groups[1..].iter().flat_map(|g| &g.streams).collect();
    assert!(bids.contains(&&(AUCTION.0, 3)), "{bids:?}");
}

#[test]
fn a_withdrawn_batch_leaves_nothing_in_the_cache() {
    let mut cache = cache();
    let mut batch = Batch::default();
    let cancel = Cancel {
        auction_id: AUCTION,
    };
    for command in [queued(SELLER, AUCTION.0, cancel), bid(10_000)] {
        let decided = batch.decide(command, &mut cache, at(10), &settings());
        assert!(matches!(decided, DecideResult::InBatch));
    }
    assert_eq!(cache.owner(&auctioned_product()), Some(None));
    assert_eq!(batch.withdraw(&mut cache).len(), 2);
    assert!(batch.is_empty());
    assert_eq!(cache.owner(&auctioned_product()), Some(Some(AUCTION.0)));
    assert_eq!(cache.version(AUCTION.0), Some(2));
}

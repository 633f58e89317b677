//! Closing and cancelling auctions.

use tidemark_events::Event as AnyEvent;
use uuid::Uuid;

use super::*;
use crate::identity::access;

fn close(given: Given) -> Result<Vec<Write>, crate::Refusal> {
    given.at(at(3_600)).by_service().when(CLOSE)
}

#[test]
fn the_highest_bid_wins() {
    let writes = [
        vec![closed(sold(), [])],
        writes_of(["product.sold"]),
        vec![release()],
    ]
    .concat();
    assert_eq!(close(with_bid()), Ok(writes));
}

fn sold() -> Outcome {
    Outcome::Sold {
        winner_id: BIDDER,
        price: euro_cents(12_000).into(),
    }
}

/// An auction in which these users bid, each in turn.
fn with_bids(bids: impl IntoIterator<Item = (UserId, i64)>) -> Given {
    let placed = |(bidder_id, amount)| match placed(bidder_id, amount, true) {
        Write::Event(_, event) => event,
        Write::Claim(..) | Write::Release(_) => panic!("a bid is an event"),
    };
    opened().and(bids.into_iter().map(placed))
}

fn runners_up(given: Given) -> Vec<RunnerUp> {
    let writes = close(given).unwrap();
    let Write::Event(_, AnyEvent::Auction(Event::Closed { runners_up, .. })) = &writes[0] else {
        panic!("no close: {writes:?}")
    };
    runners_up.clone()
}

#[test]
fn the_close_names_the_best_bid_of_everybody_else() {
    let bids = [(RIVAL, 11_000), (BIDDER, 11_500), (RIVAL, 12_000)];
    let bids = with_bids(bids.into_iter().chain([(BIDDER, 13_000), (BIDDER, 14_000)]));
    assert_eq!(runners_up(bids), [runner_up((RIVAL, 12_000))]);
}

#[test]
fn the_close_names_twenty_others_at_most_the_highest_first() {
    let bidder = |n: u8| UserId(Uuid::from_u128(0x100 + u128::from(n)));
    // Each bids twice, so that those who were cut off come back.
    let rounds = (0..2_u8).flat_map(|round| (0..30_u8).map(move |n| (round, n)));
    let bids = rounds.map(|(round, n)| {
        let place = i64::from(round) * 30 + i64::from(n);
        (bidder(n), 20_000 + 500 * place)
    });
    let expected: Vec<_> = (9..29_u8)
        .rev()
        .map(|n| runner_up((bidder(n), 35_000 + 500 * i64::from(n))))
        .collect();
    assert_eq!(runners_up(with_bids(bids)), expected);
}

#[test]
fn nobody_wins_below_the_reserve() {
    let mut low = opened().by(BIDDER);
    assert!(low.execute(bid(10_999)).is_ok());
    let writes = vec![
        closed(Outcome::ReserveNotMet {}, [(BIDDER, 10_999)]),
        release(),
    ];
    assert_eq!(close(low), Ok(writes));
}

#[test]
fn an_auction_without_bids_is_unsold() {
    let unsold = vec![closed(Outcome::Unsold {}, []), release()];
    assert_eq!(close(opened()), Ok(unsold.clone()));
    let unopened = [writes_of(["auction.opened"]), unsold].concat();
    assert_eq!(close(scheduled()), Ok(unopened));
}

#[test]
fn the_timer_closes_at_the_extended_end() {
    let early = with_bid().at(at(3_599)).by_service().when(CLOSE);
    assert_eq!(early, Err(Error::NotDue(at(3_600)).into()));
    let unopened = scheduled().at(at(3_599)).by_service().when(CLOSE);
    assert_eq!(unopened, Err(Error::NotDue(at(3_600)).into()));
    let extended = || with_bid().and([sample("auction.extended")]);
    assert_eq!(close(extended()), Err(Error::NotDue(at(3_660)).into()));
    let later = extended().at(at(3_660)).by_service();
    assert!(later.when(CLOSE).is_ok());
}

#[test]
fn only_a_service_closes_an_auction_and_only_once() {
    assert_eq!(close(over()), Err(Error::Over.into()));
    assert_eq!(close(market()), Err(Error::NotFound.into()));
    let seller = with_bid().at(at(3_600)).by(SELLER).when(CLOSE);
    assert_eq!(seller, Err(access::Error::Service.into()));
}

#[test]
fn sellers_cancel_before_any_bid() {
    let writes = || Ok([writes_of(["auction.cancelled"]), vec![release()]].concat());
    assert_eq!(scheduled().at(at(-9)).by(SELLER).when(CANCEL), writes());
    assert_eq!(opened().by(SELLER).when(CANCEL), writes());
}

#[test]
fn nobody_cancels_after_a_bid_or_the_end_nor_another_sellers_auction() {
    let cancel = |given: Given| given.by(SELLER).when(CANCEL);
    assert_eq!(cancel(with_bid()), Err(Error::HasBids.into()));
    assert_eq!(cancel(opened().at(at(3_600))), Err(Error::Over.into()));
    assert_eq!(cancel(over()), Err(Error::Over.into()));
    let cancelled = scheduled().and([sample("auction.cancelled")]);
    assert_eq!(cancel(cancelled), Err(Error::Over.into()));
    assert_eq!(cancel(market()), Err(Error::NotFound.into()));
    let other = opened().by(RIVAL).when(CANCEL);
    assert_eq!(other, Err(Error::NotTheSeller.into()));
    let buyer = opened().by(BIDDER).when(CANCEL);
    assert_eq!(buyer, Err(access::Error::Role(Role::Seller).into()));
}

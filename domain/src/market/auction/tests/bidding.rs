//! Bids, and buying now.

use chrono::TimeDelta;
use tidemark_events::samples::amount;
use tidemark_events::{Currency, Price};

use super::*;
use crate::identity::access;

fn refused(given: Given, amount: i64, error: impl Into<crate::Refusal>) {
    assert_eq!(given.by(BIDDER).when(bid(amount)), Err(error.into()));
}

#[test]
fn bids_rise_by_the_increment() {
    let first = opened().by(BIDDER).when(bid(10_000));
    assert_eq!(first, Ok(vec![placed(BIDDER, 10_000, false)]));
    let next = with_bid().by(RIVAL).when(bid(12_500));
    assert_eq!(
        next,
        Ok(vec![placed_over(Some(BIDDER), RIVAL, 12_500, true)])
    );
    let own = with_bid().by(BIDDER).when(bid(12_500));
    assert_eq!(own, Ok(vec![placed(BIDDER, 12_500, true)]));
}

#[test]
fn the_refusal_of_a_low_bid_names_the_minimum() {
    refused(opened(), 9_999, Error::BidTooLow(euro_cents(10_000).into()));
    for amount in [1, 11_999, 12_000, 12_499] {
        refused(
            with_bid(),
            amount,
            Error::BidTooLow(euro_cents(12_500).into()),
        );
    }
    let message = Error::BidTooLow(euro_cents(12_500).into()).to_string();
    assert_eq!(
        message,
        "the next bid is at least 12500 in minor units of EUR"
    );
}

/// The increment is 500.
#[test]
fn no_bid_follows_one_that_leaves_no_higher_amount() {
    let largest = 1_000_000_000_000_000;
    let after = |highest| {
        let bid = Event::BidPlaced {
            auction_id: AUCTION,
            product_id: PRODUCT,
            seller_id: SELLER,
            bidder_id: BIDDER,
            amount: euro_cents(highest).into(),
            reserve_met: true,
            outbid_id: None,
        };
        opened().and([bid.into()])
    };
    let last = after(largest - 500).by(RIVAL).when(bid(largest));
    assert_eq!(
        last,
        Ok(vec![placed_over(Some(BIDDER), RIVAL, largest, true)])
    );
    refused(after(largest - 499), largest, Error::NoHigherBid);
    refused(after(largest - 499), 1, Error::NoHigherBid);
    refused(after(largest), largest, Error::NoHigherBid);
}

#[test]
fn bids_are_in_the_currency_of_the_auction() {
    let dollars = PlaceBid {
        amount: Price::new(amount(20_000), Currency::USD.try_into().unwrap()),
        ..bid(1)
    };
    assert_eq!(
        with_bid().by(BIDDER).when(dollars),
        Err(Error::WrongCurrency(euro_cents(10_000).into()).into())
    );
}

#[test]
fn sellers_neither_bid_on_nor_buy_what_they_sell() {
    let own = || Err(Error::OwnAuction.into());
    assert_eq!(opened().by(SELLER).when(bid(10_000)), own());
    assert_eq!(opened().by(SELLER).when(BUY_NOW), own());
}

#[test]
fn only_buyers_bid_and_buy() {
    let login = || Err(access::Error::Login.into());
    assert_eq!(opened().when(bid(10_000)), login());
    assert_eq!(opened().by_service().when(BUY_NOW), login());
    let banned = tidemark_events::identity::user::Event::RoleRevoked {
        user_id: BIDDER,
        role: Role::Buyer,
    };
    let banned = opened().and([banned.into()]).by(BIDDER);
    let role = || Err(access::Error::Role(Role::Buyer).into());
    assert_eq!(banned.when(bid(10_000)), role());
    assert_eq!(banned.when(BUY_NOW), role());
}

#[test]
fn a_bid_a_microsecond_outside_the_auctions_time_is_refused() {
    let instant = TimeDelta::microseconds(1);
    refused(market(), 10_000, Error::NotFound);
    let before = || scheduled().at(at(0) - instant);
    refused(before(), 10_000, Error::NotOpen(at(0)));
    refused(opened().at(at(3_600)), 10_000, Error::Over);
    refused(over(), 90_000, Error::Over);
    let last = with_bid().at(at(3_600) - instant).by(BIDDER);
    assert!(last.when(bid(12_500)).is_ok());

    let buy = |given: Given| given.by(BIDDER).when(BUY_NOW);
    assert_eq!(buy(market()), Err(Error::NotFound.into()));
    assert_eq!(buy(before()), Err(Error::NotOpen(at(0)).into()));
    assert_eq!(buy(opened().at(at(3_600))), Err(Error::Over.into()));
    assert_eq!(buy(over()), Err(Error::Over.into()));
}

#[test]
fn a_clock_behind_the_log_is_corrected() {
    let mut auction = scheduled().at(at(5)).by_service();
    assert!(auction.execute(OPEN).is_ok());
    let behind = auction.at(at(-5)).by(BIDDER).when(bid(10_000));
    assert_eq!(behind, Ok(vec![placed(BIDDER, 10_000, false)]));
}

#[test]
fn a_bid_ahead_of_the_timer_opens_the_auction() {
    let mut ahead = scheduled().by(BIDDER);
    let opening = writes_of(["auction.opened"]);
    let writes = [opening, vec![placed(BIDDER, 10_000, false)]].concat();
    assert_eq!(ahead.execute(bid(10_000)), Ok(writes));
    let timer = ahead.by_service().when(OPEN);
    assert_eq!(timer, Err(Error::Open.into()));
}

#[test]
fn a_late_bid_moves_the_end() {
    let bid_at = |second| with_bid().at(at(second)).by(RIVAL).when(bid(12_500));
    let accepted = || vec![placed_over(Some(BIDDER), RIVAL, 12_500, true)];
    assert_eq!(
        bid_at(3_540),
        Ok(accepted()),
        "the window starts just after"
    );
    let moved = [accepted(), vec![extended(3_601)]].concat();
    assert_eq!(bid_at(3_541), Ok(moved));

    let mut auction = with_bid().at(at(3_599)).by(RIVAL);
    assert!(auction.execute(bid(12_500)).is_ok());
    let auction = auction.at(at(3_658)).by(BIDDER);
    let writes = vec![
        placed_over(Some(RIVAL), BIDDER, 13_000, true),
        extended(3_718),
    ];
    assert_eq!(auction.when(bid(13_000)), Ok(writes));
}

#[test]
fn the_reserve_shows_only_whether_it_is_met() {
    for (amount, met) in [(10_999, false), (11_000, true)] {
        let placed = placed(BIDDER, amount, met);
        assert_eq!(opened().by(BIDDER).when(bid(amount)), Ok(vec![placed]));
    }
}

#[test]
fn buying_now_ends_the_auction_at_once() {
    let price = euro_cents(50_000).into();
    let sold = Outcome::Sold {
        winner_id: BIDDER,
        price,
    };
    let product = Write::event(
        PRODUCT.0,
        tidemark_events::market::product::Event::Sold {
            product_id: PRODUCT,
            seller_id: SELLER,
            category_id: tidemark_events::samples::CATEGORY,
            auction_id: AUCTION,
            buyer_id: BIDDER,
            price,
        },
    );
    let purchase = [
        writes_of(["auction.bought_now"]),
        vec![closed(sold, []), product, release()],
    ]
    .concat();
    assert_eq!(opened().by(BIDDER).when(BUY_NOW), Ok(purchase.clone()));
    let ahead = scheduled().by(BIDDER).when(BUY_NOW);
    assert_eq!(
        ahead,
        Ok([writes_of(["auction.opened"]), purchase].concat())
    );
}

#[test]
fn a_bid_ends_the_buy_now_offer() {
    let late = with_bid().by(RIVAL).when(BUY_NOW);
    assert_eq!(late, Err(Error::HasBids.into()));
}

#[test]
fn a_first_bid_that_reaches_the_buy_now_price_buys_at_that_price() {
    let bought = opened().by(BIDDER).when(BUY_NOW);
    for amount in [50_000, 60_000, 1_000_000_000_000_000] {
        assert_eq!(opened().by(BIDDER).when(bid(amount)), bought);
    }
    let below = opened().by(BIDDER).when(bid(49_999));
    assert_eq!(below, Ok(vec![placed(BIDDER, 49_999, true)]));
    let later = with_bid().by(RIVAL).when(bid(60_000));
    assert_eq!(
        later,
        Ok(vec![placed_over(Some(BIDDER), RIVAL, 60_000, true)])
    );
}

#[test]
fn late_bids_do_not_move_the_end_beyond_the_latest_one() {
    let mut auction = with_bid();
    let mut end = 3_600;
    // The latest end in the samples is an hour after the first.
    for amount in (0..200).map(|number| 12_500 + number * 500) {
        auction = auction.at(at(end - 1)).by(RIVAL);
        if auction.execute(bid(amount)).is_err() {
            break;
        }
        end = (end + 59).min(7_200);
    }
    auction = auction.at(at(7_199)).by(BIDDER);
    let last = auction.when(bid(200_000));
    assert_eq!(
        last,
        Ok(vec![placed_over(Some(RIVAL), BIDDER, 200_000, true)])
    );
    let over = auction.at(at(7_200)).when(bid(200_000));
    assert_eq!(over, Err(Error::Over.into()));
}

#[test]
fn without_a_buy_now_price_nobody_can_buy_now() {
    let mut plain = market().by(SELLER);
    let schedule = Schedule {
        auction_id: AUCTION,
        product_id: PRODUCT,
        reserve: None,
        starting_price: euro_cents(100),
        minimum_increment: amount(1),
        buy_now_price: None,
        starts_at: None,
        ends_at: moment(60),
        anti_sniping_window_s: 0,
        extension_max: TimeDelta::hours(1),
    };
    assert!(plain.execute(schedule).is_ok());
    let mut plain = plain.by(BIDDER);
    assert_eq!(plain.when(BUY_NOW), Err(Error::NoBuyNowPrice.into()));

    let writes = [
        writes_of(["auction.opened"]),
        vec![placed(BIDDER, 100, true)],
    ]
    .concat();
    assert_eq!(
        plain.execute(bid(100)),
        Ok(writes),
        "no reserve is a met one"
    );
    let no_window = plain.at(at(59)).by(RIVAL).when(bid(101));
    assert_eq!(
        no_window,
        Ok(vec![placed_over(Some(BIDDER), RIVAL, 101, true)])
    );
}

//! How each event changes the row of an auction.

use tidemark_events::Stored;
use tidemark_events::samples::{
    AUCTION, BIDDER, CATEGORY, PRODUCT, RESERVE, SELLER, amount, at, euro_cents, moment, stored,
};

use super::*;
use crate::testing::given;

fn scheduled_event() -> Event {
    Event::Scheduled {
        auction_id: AUCTION,
        product_id: PRODUCT,
        category_id: CATEGORY,
        seller_id: SELLER,
        title: stored("Field camera"),
        starting_price: euro_cents(10_000).into(),
        minimum_increment: amount(500).into(),
        buy_now_price: Some(amount(50_000).into()),
        reserve_id: Some(RESERVE),
        starts_at: moment(0).into(),
        ends_at: moment(3_600).into(),
        anti_sniping_window_s: 60,
        latest_end_at: Some(moment(7_200).into()),
    }
}

fn opened() -> Event {
    Event::Opened {
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
    }
}

fn bid(amount: i64, reserve_met: bool) -> Event {
    Event::BidPlaced {
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        bidder_id: BIDDER,
        amount: euro_cents(amount).into(),
        reserve_met,
        outbid_id: None,
    }
}

fn closed(outcome: Outcome) -> Event {
    Event::Closed {
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        outcome,
        runners_up: Vec::new(),
    }
}

fn row(events: impl IntoIterator<Item = Event>) -> Row {
    given::<Auction>(events).remove(&AUCTION.0).unwrap()
}

#[test]
fn a_scheduled_auction_asks_for_its_starting_price() {
    let row = row([scheduled_event()]);
    assert_eq!(row.status, Status::Scheduled);
    assert_eq!(row.minimum_next_bid, Some(euro_cents(10_000).into()));
    assert_eq!((row.reserve_met, row.version), (Some(false), 1));
}

#[test]
fn a_bid_leads_raises_the_next_minimum_and_ends_buying_now() {
    let row = row([scheduled_event(), opened(), bid(12_000, true)]);
    assert_eq!(row.status, Status::Open);
    assert_eq!(row.current_price, euro_cents(12_000).into());
    assert_eq!(row.minimum_next_bid, Some(euro_cents(12_500).into()));
    assert_eq!((row.leader_id, row.bid_count), (Some(BIDDER), 1));
    assert_eq!((row.buy_now_price, row.reserve_met), (None, Some(true)));
    assert_eq!(row.version, 3);
}

#[test]
fn no_next_bid_is_asked_for_above_the_largest_amount() {
    let asked_for = |highest| row([scheduled_event(), opened(), bid(highest, true)]);
    let largest = 1_000_000_000_000_000;
    let row = asked_for(largest - 500);
    assert_eq!(row.minimum_next_bid, Some(euro_cents(largest).into()));
    assert_eq!(asked_for(largest - 499).minimum_next_bid, None);
}

#[test]
fn a_late_bid_moves_the_end() {
    let extended = Event::Extended {
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        ends_at: moment(3_660).into(),
    };
    let row = row([scheduled_event(), opened(), bid(10_000, false), extended]);
    assert_eq!((row.ends_at, row.bid_count), (at(3_660), 1));
}

#[test]
fn a_closed_auction_takes_no_more_bids() {
    let outcome = Outcome::ReserveNotMet {};
    let row = row([
        scheduled_event(),
        opened(),
        bid(10_000, false),
        closed(outcome),
    ]);
    assert_eq!((row.status, row.outcome), (Status::Closed, Some(outcome)));
    assert_eq!((row.minimum_next_bid, row.reserve_met), (None, Some(false)));
}

#[test]
fn an_auction_that_was_bought_now_is_sold_at_that_price() {
    let price = Stored::from(euro_cents(50_000));
    let bought = Event::BoughtNow {
        auction_id: AUCTION,
        product_id: PRODUCT,
        seller_id: SELLER,
        buyer_id: BIDDER,
        price,
    };
    let outcome = Outcome::Sold {
        winner_id: BIDDER,
        price,
    };
    let row = row([scheduled_event(), opened(), bought, closed(outcome)]);
    assert_eq!((row.current_price, row.outcome), (*price, Some(outcome)));
    assert_eq!((row.bid_count, row.leader_id), (0, None));
}

#[test]
fn the_document_never_holds_the_reserve() {
    let document = serde_json::to_value(row([scheduled_event()])).unwrap();
    assert!(document.get("reserve_id").is_none());
    assert!(!document.to_string().contains(&RESERVE.to_string()));
}

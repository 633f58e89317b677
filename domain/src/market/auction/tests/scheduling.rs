//! Scheduling and opening auctions.

use tidemark_events::AuctionId;
use tidemark_events::samples::{RESERVE, amount};

use super::*;
use crate::identity::access;
use crate::market::{category, product};

fn schedule() -> Schedule {
    Schedule {
        auction_id: AUCTION,
        product_id: PRODUCT,
        reserve: Some((RESERVE, amount(11_000))),
        starting_price: euro_cents(10_000),
        minimum_increment: amount(500),
        buy_now_price: Some(amount(50_000)),
        starts_at: Some(moment(0)),
        ends_at: moment(3_600),
        anti_sniping_window_s: 60,
        extension_max: chrono::TimeDelta::hours(1),
    }
}

fn refused(schedule: Schedule, error: impl Into<crate::Refusal>) {
    assert_eq!(market().by(SELLER).when(schedule), Err(error.into()));
}

#[test]
fn sellers_auction_their_listed_products() {
    let claim = Write::Claim(auction_claim(PRODUCT), AUCTION.0);
    let scheduled = [writes_of(["auction.scheduled"]), vec![claim]].concat();
    let with_reserve = [scheduled, writes_of(["reserve.set"])].concat();
    assert_eq!(market().by(SELLER).when(schedule()), Ok(with_reserve));

    let at_once = Schedule {
        starts_at: None,
        ..schedule()
    };
    let now = market().by(SELLER).when(at_once);
    assert_eq!(now, market().by(SELLER).when(schedule()));

    let mut open = market().by(SELLER);
    let no_extras = Schedule {
        reserve: None,
        buy_now_price: None,
        ..schedule()
    };
    assert_eq!(open.execute(no_extras).map(|writes| writes.len()), Ok(2));
}

#[test]
fn only_a_listed_product_of_ones_own_is_auctioned() {
    let buyer = market().by(BIDDER).when(schedule());
    assert_eq!(buyer, Err(access::Error::Role(Role::Seller).into()));
    let other = market().by(RIVAL).when(schedule());
    assert_eq!(other, Err(product::Error::NotTheSeller.into()));
    let unknown = Schedule {
        product_id: ProductId(AUCTION.0),
        ..schedule()
    };
    refused(unknown, product::Error::NotFound);
    let draft = given([
        registered(SELLER),
        granted(SELLER, Role::Seller),
        sample("product.drafted"),
    ]);
    let early = draft.by(SELLER).when(schedule());
    assert_eq!(early, Err(product::Error::NotListed.into()));
    let withdrawn = market().and([sample("product.withdrawn")]).by(SELLER);
    let late = withdrawn.when(schedule());
    assert_eq!(late, Err(product::Error::Withdrawn.into()));
}

#[test]
fn a_sold_product_is_never_auctioned_again() {
    let sold = market().and([sample("product.sold")]).by(SELLER);
    let again = sold.when(schedule());
    assert_eq!(again, Err(product::Error::Sold.into()));
}

#[test]
fn a_product_has_one_auction_at_a_time() {
    let mut twice = market().by(SELLER);
    assert!(twice.execute(schedule()).is_ok());
    let second = twice.when(schedule());
    assert_eq!(second, Err(product::Error::Auctioned.into()));
    assert!(twice.execute(CANCEL).is_ok());
    let again = Schedule {
        auction_id: AuctionId(uuid::Uuid::from_u128(55)),
        reserve: None,
        ..schedule()
    };
    assert!(twice.execute(again).is_ok());
}

#[test]
fn the_category_must_be_active() {
    let inactive = market().and([sample("category.deactivated")]).by(SELLER);
    let filed = inactive.when(schedule());
    assert_eq!(filed, Err(category::Error::Inactive.into()));
}

#[test]
fn amounts_out_of_order_are_refused() {
    let reserve = Schedule {
        reserve: Some((RESERVE, amount(9_999))),
        ..schedule()
    };
    refused(reserve, Error::ReserveTooLow);
    for (buy_now_price, reserve) in [(10_000, None), (10_999, Some((RESERVE, amount(11_000))))] {
        let cheap = Schedule {
            buy_now_price: Some(amount(buy_now_price)),
            reserve,
            ..schedule()
        };
        refused(cheap, Error::BuyNowTooLow);
    }
}

#[test]
fn times_in_the_past_or_out_of_bounds_are_refused() {
    let past = Schedule {
        starts_at: Some(moment(-1)),
        ..schedule()
    };
    refused(past, Error::StartsInThePast);
    let longest = DURATION_MAX.num_seconds();
    let ended = Schedule {
        ends_at: moment(-1),
        ..schedule()
    };
    refused(ended, Error::EndsInThePast);
    for ends_at in [0, longest + 1] {
        let odd = Schedule {
            ends_at: moment(ends_at),
            ..schedule()
        };
        refused(odd, Error::DurationOutOfRange);
    }
    for ends_at in [1, longest] {
        let bound = Schedule {
            ends_at: moment(ends_at),
            ..schedule()
        };
        assert!(market().by(SELLER).when(bound).is_ok());
    }
    let ahead = AHEAD_MAX.num_seconds();
    let too_far = |field| crate::Refusal::from(Error::TooFarAhead(field));
    for (starts_at, ends_at, refusal) in [
        (ahead, ahead + 1, too_far("ends_at")),
        (
            ahead + 1,
            ahead + 2,
            too_far("starts_at").and(too_far("ends_at")),
        ),
    ] {
        let far = Schedule {
            starts_at: Some(moment(starts_at)),
            ends_at: moment(ends_at),
            ..schedule()
        };
        refused(far, refusal);
    }
    let latest = Schedule {
        starts_at: Some(moment(ahead - 1)),
        ends_at: moment(ahead),
        ..schedule()
    };
    assert!(market().by(SELLER).when(latest).is_ok());
    let window = Schedule {
        anti_sniping_window_s: ANTI_SNIPING_WINDOW_MAX_S + 1,
        ..schedule()
    };
    refused(window, Error::WindowTooLong);
}

#[test]
fn a_service_opens_an_auction_at_its_start_and_only_once() {
    let timer = scheduled().by_service();
    assert_eq!(timer.when(OPEN), Ok(writes_of(["auction.opened"])));
    let early = timer.at(at(-1)).when(OPEN);
    assert_eq!(early, Err(Error::NotDue(at(0)).into()));
    let again = opened().by_service().when(OPEN);
    assert_eq!(again, Err(Error::Open.into()));
    let late = over().by_service().when(OPEN);
    assert_eq!(late, Err(Error::Over.into()));
    let nothing = given([]).by_service().when(OPEN);
    assert_eq!(nothing, Err(Error::NotFound.into()));
    let seller = scheduled().by(SELLER).when(OPEN);
    assert_eq!(seller, Err(access::Error::Service.into()));
}

#[test]
fn a_refusal_that_ends_with_time_says_when() {
    let early = scheduled().at(at(-1)).by_service().when(OPEN);
    assert_eq!(early.map_err(|error| error.retry_at), Err(Some(at(0))));
    let over = over().by_service().when(OPEN);
    assert_eq!(over.map_err(|error| error.retry_at), Err(None));
}

//! Which auctions users can watch, and when they are told of them.

use tidemark_events::samples::{AUCTION, BIDDER, PRODUCT, WATCH, at, moment};
use uuid::Uuid;

use super::*;
use crate::given::{Given, given, registered, sample};

fn watch() -> Watch {
    Watch {
        watch_id: WatchId(WATCH),
        auction_id: AUCTION,
        watched_max: 2,
        ends_soon: TimeDelta::minutes(15),
    }
}

const UNWATCH: Unwatch = Unwatch {
    auction_id: AUCTION,
};

/// The bidder, and an auction that takes bids for an hour.
fn market() -> Given {
    let auction = ["product.drafted", "auction.scheduled"].map(sample);
    given([registered(BIDDER)]).and(auction).by(BIDDER)
}

/// What is written if the user watches, and is told at this second.
fn added(second: Option<i64>) -> Vec<Write> {
    let watch_list_id = WatchListId::of(BIDDER);
    let event = Event::Added {
        watch_list_id,
        watch_id: WatchId(WATCH),
        user_id: BIDDER,
        auction_id: AUCTION,
        product_id: PRODUCT,
        remind_at: second.map(|it| moment(it).into()),
    };
    vec![Write::event(watch_list_id.0, event)]
}

#[test]
fn who_watches_is_told_about_a_quarter_of_an_hour_before_the_end() {
    // The last byte of the id is 81, so that it is the 21st of 60 steps of one second.
    assert_eq!(market().when(watch()), Ok(added(Some(2_721))));
    let opened = market().and([sample("auction.opened")]);
    assert_eq!(opened.when(watch()), Ok(added(Some(2_721))));
    let late = opened.at(at(2_721)).when(watch());
    assert_eq!(late, Ok(added(None)));
    let short = Watch {
        ends_soon: TimeDelta::hours(2),
        ..watch()
    };
    let before = market().at(at(-10)).when(short);
    assert_eq!(before, Ok(added(Some(168))), "not before the start");
}

#[test]
fn what_is_over_or_absent_cannot_be_watched() {
    let over = Err(auction::Error::Over.into());
    assert_eq!(market().at(at(3_600)).when(watch()), over);
    let cancelled = market().and([sample("auction.cancelled")]);
    assert_eq!(cancelled.when(watch()), over);
    let absent = given([registered(BIDDER)]).by(BIDDER).when(watch());
    assert_eq!(absent, Err(auction::Error::NotFound.into()));
    let absent = given([registered(BIDDER)]).by(BIDDER).when(UNWATCH);
    assert_eq!(absent, Err(auction::Error::NotFound.into()));
    let service = market().by_service().when(watch());
    assert!(service.is_err());
}

#[test]
fn an_auction_is_watched_once_until_it_is_not() {
    let mut user = market();
    user.execute(watch()).unwrap();
    assert_eq!(user.when(watch()), Err(Error::Watched.into()));
    user.execute(UNWATCH).unwrap();
    assert_eq!(user.when(UNWATCH), Err(Error::NotWatched.into()));
    assert!(user.when(watch()).is_ok());
}

#[test]
fn a_user_watches_so_many_auctions_and_no_more() {
    let mut user = market();
    for number in 0..2 {
        let watch_list_id = WatchListId::of(BIDDER);
        let added = Event::Added {
            watch_list_id,
            watch_id: WatchId(Uuid::from_u128(0x100 + number)),
            user_id: BIDDER,
            auction_id: AuctionId(Uuid::from_u128(0x200 + number)),
            product_id: PRODUCT,
            remind_at: None,
        };
        assert!(user.when(watch()).is_ok());
        user.log
            .push((watch_list_id.0, added.into(), Timestamp::UNIX_EPOCH));
    }
    assert_eq!(user.when(watch()), Err(Error::Full(2).into()));
}

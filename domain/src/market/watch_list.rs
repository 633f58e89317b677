//! Watch lists: which auctions a user watches. Whoever watches an auction is told once that it ends soon.

mod error;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::market::watch_list::Event;
use tidemark_events::{AuctionId, Moment, Timestamp, WatchId, WatchListId};

pub use error::Error;

use crate::decision::refusals;
use crate::identity::access;
use crate::market::auction;
use crate::market::auction::{Auction, Terms};
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// Those who watch an auction are told within so small a part of the time that they are told before its end, and not all at once:
/// ten thousand timers of one moment would hold up others.
const SPREAD: i32 = 15;
/// The steps in which they are.
const STEPS: u8 = 60;

/// The state of a watch list: the auctions, each with its watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchList {
    watched: BTreeMap<AuctionId, WatchId>,
}

impl WatchList {
    /// Whether the user watches this auction.
    #[must_use]
    pub fn has(&self, auction_id: AuctionId) -> bool {
        self.watched.contains_key(&auction_id)
    }
}

impl AggregateState for WatchList {
    type Event = Event;

    const NONE: &'static Self = &Self {
        watched: BTreeMap::new(),
    };
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Added {
                watch_id,
                auction_id,
                ..
            } => {
                self.watched.insert(*auction_id, *watch_id);
            }
            Event::Removed { auction_id, .. } => {
                self.watched.remove(auction_id);
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.watched.len() * size_of::<(AuctionId, WatchId)>()
    }
}

/// From when on those who watch an auction are told that it ends soon: so long before its end, but not before its start.
#[must_use]
pub fn remind_at(terms: &Terms, ends_soon: TimeDelta) -> Timestamp {
    let before_end = *terms.ends_at - ends_soon;
    before_end.max(*terms.starts_at)
}

/// Has the user who sends the command watch an auction that is not over.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The id of the new watch.
    pub watch_id: WatchId,
    /// The auction.
    pub auction_id: AuctionId,
    /// How many auctions one user may watch.
    pub watched_max: usize,
    /// How long before the end of the auction the user is told of it.
    pub ends_soon: TimeDelta,
}

impl Watch {
    /// How much later than the first of those who watch the auction the user is told.
    fn delay(&self) -> TimeDelta {
        let [.., last] = *self.watch_id.0.as_bytes();
        self.ends_soon / SPREAD * i32::from(last % STEPS) / i32::from(STEPS)
    }
}

impl Command for Watch {
    fn name(&self) -> &'static str {
        "watch_auction"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Watched, Error::Full(1_000)]);
        let auctions = refusals([auction::Error::NotFound, auction::Error::Over]);
        [access::user_refusals(), own, auctions].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let user_id = access::user(view)?;
        let watch_list_id = WatchListId::of(user_id);
        let list = view.get::<WatchList>(watch_list_id.0)?;
        if list.has(self.auction_id) {
            return Err(Error::Watched.into());
        }
        let terms = match view.get::<Auction>(self.auction_id.0)? {
            Auction::None => return Err(auction::Error::NotFound.into()),
            Auction::Over => return Err(auction::Error::Over.into()),
            Auction::Scheduled { terms } | Auction::Open { terms, .. } => terms,
        };
        if view.now() >= *terms.ends_at {
            return Err(auction::Error::Over.into());
        }
        if list.watched.len() >= self.watched_max {
            return Err(Error::Full(list.watched.len()).into());
        }
        let remind_at = remind_at(terms, self.ends_soon) + self.delay();
        // Who comes to see it later knows that it ends soon.
        let remind_at = (remind_at > view.now()).then(|| Moment::nearest(remind_at).into());
        Ok(vec![Write::event(
            watch_list_id.0,
            Event::Added {
                watch_list_id,
                watch_id: self.watch_id,
                user_id,
                auction_id: self.auction_id,
                product_id: terms.product_id,
                remind_at,
            },
        )])
    }
}

/// Has the user who sends the command watch an auction no more, whether it is over or not.
#[derive(Clone, Debug)]
pub struct Unwatch {
    /// The auction.
    pub auction_id: AuctionId,
}

impl Command for Unwatch {
    fn name(&self) -> &'static str {
        "unwatch_auction"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotWatched]);
        let absent = refusals([auction::Error::NotFound]);
        [access::user_refusals(), own, absent].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let user_id = access::user(view)?;
        let watch_list_id = WatchListId::of(user_id);
        let list = view.get::<WatchList>(watch_list_id.0)?;
        let Some(watch_id) = list.watched.get(&self.auction_id) else {
            return Err(match view.get::<Auction>(self.auction_id.0)? {
                Auction::None => auction::Error::NotFound.into(),
                Auction::Scheduled { .. } | Auction::Open { .. } | Auction::Over => {
                    Error::NotWatched.into()
                }
            });
        };
        Ok(vec![Write::event(
            watch_list_id.0,
            Event::Removed {
                watch_list_id,
                watch_id: *watch_id,
                user_id,
                auction_id: self.auction_id,
            },
        )])
    }
}

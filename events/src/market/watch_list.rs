//! Events of watch lists: which auctions a user watches.

use uuid::Uuid;

use crate::{AuctionId, Moment, ProductId, Stored, UserId};

id! {
    /// The id of the watch list of a user.
    WatchListId
}

id! {
    /// The id of a watch: that a user watches an auction, from once until they stop.
    WatchId
}

/// What tells the id of a watch list from that of its user: bits that are random in a UUIDv7.
const DIFFERENCE: u128 = 0x0000_0000_0000_0c5e_1b94_d7a3_60f8_2e4d;

impl WatchListId {
    /// The id of the watch list of this user, of which there is no other.
    #[must_use]
    pub const fn of(user_id: UserId) -> Self {
        Self(Uuid::from_u128(user_id.0.as_u128() ^ DIFFERENCE))
    }
}

events! {
    /// The events of a watch list.
    pub enum Event {
        /// The user watches an auction from now on.
        #[serde(rename = "watch_list.added")]
        Added {
            /// The watch list.
            watch_list_id: WatchListId,
            /// The watch.
            watch_id: WatchId,
            /// The user.
            user_id: UserId,
            /// The auction.
            auction_id: AuctionId,
            /// The product that is auctioned.
            product_id: ProductId,
            /// When the user is to be told that the auction ends soon, unless it is extended before. None if that time
            /// had passed.
            remind_at: Option<Stored<Moment>>,
        },
        /// The user watches the auction no more.
        #[serde(rename = "watch_list.removed")]
        Removed {
            /// The watch list.
            watch_list_id: WatchListId,
            /// The watch.
            watch_id: WatchId,
            /// The user.
            user_id: UserId,
            /// The auction.
            auction_id: AuctionId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, BIDDER, PRODUCT, WATCH, WATCH_LIST, moment};

    vec![
        Event::Added {
            watch_list_id: WATCH_LIST,
            watch_id: WatchId(WATCH),
            user_id: BIDDER,
            auction_id: AUCTION,
            product_id: PRODUCT,
            remind_at: Some(moment(2_700).into()),
        },
        Event::Removed {
            watch_list_id: WATCH_LIST,
            watch_id: WatchId(WATCH),
            user_id: BIDDER,
            auction_id: AUCTION,
        },
    ]
}

//! Events of notifications: what a user is told, and whether they have seen it.

use serde::{Deserialize, Serialize};

use crate::market::product::Title;
use crate::messaging::channels::{Category, Channels};
use crate::tasks::task;
use crate::tasks::task::PauseReason;
use crate::{AuctionId, Line, Moment, Price, ProductId, Stored, TaskId, UserId};

id! {
    /// The id of a notification.
    NotificationId
}

/// What notifications of one user and category that tell of the same have in common.
pub type DedupeKey = Line<100>;

event_field! {
    /// What a notification is about.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum Subject {
        /// An auction.
        Auction {
            /// The auction.
            auction_id: AuctionId,
            /// The product that is or was auctioned.
            product_id: ProductId,
            /// The title of the product.
            title: Stored<Title>,
            /// The bid that outbids the user, or the price that the buyer pays; none if nothing was sold.
            amount: Option<Stored<Price>>,
        },
        /// A task.
        Task {
            /// The task.
            task_id: TaskId,
            /// Its name.
            name: Stored<task::Name>,
            /// Why it was paused.
            reason: PauseReason,
        },
    }
}

events! {
    /// The events of a notification.
    pub enum Event {
        /// A user is notified of something.
        #[serde(rename = "notification.raised")]
        Raised {
            /// The notification.
            notification_id: NotificationId,
            /// The user.
            user_id: UserId,
            /// What it is of.
            category: Category,
            /// What it is about.
            subject: Subject,
            /// What it has in common with others that tell of the same.
            dedupe_key: Stored<DedupeKey>,
            /// By which channels the user is told.
            channels: Channels,
            /// The time until which the same is not raised again. None if it never is.
            quiet_until: Option<Stored<Moment>>,
        },
        /// The user has read the notification in the inbox.
        #[serde(rename = "notification.read")]
        Read {
            /// The notification.
            notification_id: NotificationId,
            /// The user.
            user_id: UserId,
        },
        /// The user has put the notification away. It was read before.
        #[serde(rename = "notification.archived")]
        Archived {
            /// The notification.
            notification_id: NotificationId,
            /// The user.
            user_id: UserId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{AUCTION, NOTIFICATION, PRODUCT, RIVAL, euro_cents, moment, stored};

    vec![
        Event::Raised {
            notification_id: NOTIFICATION,
            user_id: RIVAL,
            category: Category::Outbid,
            subject: Subject::Auction {
                auction_id: AUCTION,
                product_id: PRODUCT,
                title: stored("Field camera"),
                amount: Some(euro_cents(12_000).into()),
            },
            dedupe_key: stored("00000000-0000-0000-0000-000000000005"),
            channels: Channels::OF_EVERYBODY,
            quiet_until: Some(moment(60).into()),
        },
        Event::Read {
            notification_id: NOTIFICATION,
            user_id: RIVAL,
        },
        Event::Archived {
            notification_id: NOTIFICATION,
            user_id: RIVAL,
        },
    ]
}

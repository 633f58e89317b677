//! What messages bring of notifications: one, or all of a digest.

use serde::{Deserialize, Serialize};

use crate::messaging::channels::Category;
use crate::messaging::notification::Subject;
use crate::{DigestId, NotificationId};

event_field! {
    /// The notification that a message brings to a user.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Notice {
        /// The notification.
        pub notification_id: NotificationId,
        /// What it is of.
        pub category: Category,
        /// What it is about.
        pub subject: Subject,
    }
}

event_field! {
    /// What a mail lists that tells a user of a category all at once.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Listing {
        /// The digest.
        pub digest_id: DigestId,
        /// The category.
        pub category: Category,
        /// The last notifications that joined the digest, the newest last.
        pub notices: Vec<Notice>,
        /// How many joined it before, which are not listed.
        pub unlisted: u32,
    }
}

/// The notification in the samples, as a message brings it.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn sample() -> Notice {
    use crate::samples::{AUCTION, NOTIFICATION, PRODUCT, euro_cents, stored};

    Notice {
        notification_id: NOTIFICATION,
        category: Category::Outbid,
        subject: Subject::Auction {
            auction_id: AUCTION,
            product_id: PRODUCT,
            title: stored("Field camera"),
            amount: Some(euro_cents(12_000).into()),
        },
    }
}

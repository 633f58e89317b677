//! Events of digests: what a user is told of a category in one mail, in place of one each. A digest is one window, which the first
//! notification opens and others join.

use serde::{Deserialize, Serialize};

use crate::messaging::channels::Category;
use crate::messaging::notice::Notice;
use crate::{EventField, MessageId, Moment, Stored, UserId};

id! {
    /// The id of a digest.
    DigestId
}

/// What comes of a digest that is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There is a mail of it. What becomes of that is in the stream of the message.
    Mail,
    /// The user has switched mails of the category off meanwhile, so there is none.
    MailsOff,
}

impl EventField for Outcome {}

events! {
    /// The events of a digest.
    pub enum Event {
        /// The user is to be told of a category in one mail, and the first notification is there.
        #[serde(rename = "digest.opened")]
        Opened {
            /// The digest.
            digest_id: DigestId,
            /// The user.
            user_id: UserId,
            /// The category.
            category: Category,
            /// When it is closed. What the user is told of until then joins it.
            closes_at: Stored<Moment>,
        },
        /// The user was notified, and the mail of the digest says so. The first one joins when the digest is opened.
        #[serde(rename = "digest.joined")]
        Joined {
            /// The digest.
            digest_id: DigestId,
            /// The user.
            user_id: UserId,
            /// The notification.
            notice: Notice,
        },
        /// The digest is over. What the user is told of from now on opens another one.
        #[serde(rename = "digest.closed")]
        Closed {
            /// The digest.
            digest_id: DigestId,
            /// The user.
            user_id: UserId,
            /// How many notifications have joined it.
            notifications: u32,
            /// What comes of it.
            outcome: Outcome,
            /// The mail; none if there is none.
            message_id: Option<MessageId>,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::messaging::notice;
    use crate::samples::{DIGEST, DIGEST_MAIL, RIVAL, moment};

    vec![
        Event::Opened {
            digest_id: DIGEST,
            user_id: RIVAL,
            category: Category::Outbid,
            closes_at: moment(86_400).into(),
        },
        Event::Joined {
            digest_id: DIGEST,
            user_id: RIVAL,
            notice: notice::sample(),
        },
        Event::Closed {
            digest_id: DIGEST,
            user_id: RIVAL,
            notifications: 1,
            outcome: Outcome::Mail,
            message_id: Some(DIGEST_MAIL),
        },
    ]
}

//! Events of contact points: addresses and telephone numbers that messages are for, and for how long none are sent to them. An address is known by
//! its keyed hash alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::messaging::message::Status;
use crate::{EventField, KeyedHash, MessageId, Moment, Stored};

id! {
    /// The id of a contact point.
    ContactPointId
}

/// Which messages a suppression is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = SuppressionScope)]
pub enum Scope {
    /// All messages.
    All,
    /// All but those that must be told.
    AllButCritical,
}

impl Scope {
    /// Whether all messages of another scope are of this one, too.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::All, _) | (Self::AllButCritical, Self::AllButCritical)
        )
    }
}

impl EventField for Scope {}

/// Why nothing is sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SuppressionReason)]
pub enum Reason {
    /// A server said that there is no such address.
    HardBounce,
    /// Servers have refused messages to the address again and again, for reasons that may pass.
    SoftBounces,
    /// The recipient has told the network, by a word such as STOP, that no texts are wanted.
    Unsubscribed,
    /// The recipient has complained of a mail, by a button such as "this is spam".
    Complaint,
}

impl EventField for Reason {}

events! {
    /// The events of a contact point.
    pub enum Event {
        /// A mail to the address was refused for a reason that may pass.
        #[serde(rename = "contact_point.soft_bounced")]
        SoftBounced {
            /// The contact point.
            contact_point_id: ContactPointId,
            /// The keyed hash of the normalised address.
            address_hash: KeyedHash,
            /// The message.
            message_id: MessageId,
            /// The codes of the server's answer.
            status: Stored<Status>,
            /// When that was put on record.
            bounced_at: Stored<Moment>,
        },
        /// Nothing is sent to the address any more, or nothing but what must be told.
        #[serde(rename = "contact_point.suppressed")]
        Suppressed {
            /// The contact point.
            contact_point_id: ContactPointId,
            /// The keyed hash of the normalised address.
            address_hash: KeyedHash,
            /// The message that gave rise to it.
            message_id: MessageId,
            /// Which messages are not sent.
            scope: Scope,
            /// Why.
            reason: Reason,
            /// The time until which they are not sent; none if that has no end but a release.
            until: Option<Stored<Moment>>,
        },
        /// Messages are sent to the address again.
        #[serde(rename = "contact_point.released")]
        Released {
            /// The contact point.
            contact_point_id: ContactPointId,
            /// The keyed hash of the normalised address.
            address_hash: KeyedHash,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{CONTACT_POINT, MESSAGE, hash, moment, stored};

    vec![
        Event::SoftBounced {
            contact_point_id: CONTACT_POINT,
            address_hash: hash("a"),
            message_id: MESSAGE,
            status: stored("552 5.2.2"),
            bounced_at: moment(0).into(),
        },
        Event::Suppressed {
            contact_point_id: CONTACT_POINT,
            address_hash: hash("a"),
            message_id: MESSAGE,
            scope: Scope::All,
            reason: Reason::HardBounce,
            until: Some(moment(30 * 86_400).into()),
        },
        Event::Released {
            contact_point_id: CONTACT_POINT,
            address_hash: hash("a"),
        },
    ]
}

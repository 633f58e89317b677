//! Events of preferences: by which channels a user wants to be notified.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::messaging::channels::{Category, Channels};
use crate::{EventField, UserId};

id! {
    /// The id of the preferences of a user.
    PreferencesId
}

/// What tells the id of the preferences from that of their user: bits that are random in a UUIDv7.
const DIFFERENCE: u128 = 0x0000_0000_0000_02d1_05c3_9a6b_e84f_7132;

impl PreferencesId {
    /// The id of the preferences of this user, of whom there are no others.
    #[must_use]
    pub const fn of(user_id: UserId) -> Self {
        Self(Uuid::from_u128(user_id.0.as_u128() ^ DIFFERENCE))
    }
}

/// How a user has unsubscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By the button of a mail program.
    OneClick,
    /// By the page that a mail names.
    Page,
}

impl EventField for Via {}

events! {
    /// The events of preferences.
    pub enum Event {
        /// The user has chosen the channels of a category.
        #[serde(rename = "preferences.changed")]
        Changed {
            /// The preferences.
            preferences_id: PreferencesId,
            /// The user.
            user_id: UserId,
            /// The category.
            category: Category,
            /// The channels by which the user is told from now on.
            channels: Channels,
        },
        /// The user wants no more mails of a category. The other channels stay as they are.
        #[serde(rename = "preferences.unsubscribed")]
        Unsubscribed {
            /// The preferences.
            preferences_id: PreferencesId,
            /// The user.
            user_id: UserId,
            /// The category.
            category: Category,
            /// How the user has done it.
            via: Via,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{PREFERENCES, SELLER};

    vec![
        Event::Changed {
            preferences_id: PREFERENCES,
            user_id: SELLER,
            category: Category::NotWon,
            channels: Channels {
                inbox: false,
                mail: true,
                sms: false,
                digest: true,
            },
        },
        Event::Unsubscribed {
            preferences_id: PREFERENCES,
            user_id: SELLER,
            category: Category::Unsold,
            via: Via::OneClick,
        },
    ]
}

//! By which channels users are notified of what. Decisions and folds share what holds until a user chooses otherwise.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EventField;

/// What a notification is of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotificationCategory, example = "outbid")]
pub enum Category {
    /// Somebody else has bid more than the user.
    Outbid,
    /// The user has won an auction, or bought its product.
    Won,
    /// An auction in which the user bid has ended, and the user did not get the product.
    NotWon,
    /// An auction of the user has sold its product.
    Sold,
    /// An auction of the user has ended without selling its product.
    Unsold,
    /// An auction that the user watches ends soon.
    EndsSoon,
    /// A task of the user was paused, because its server is gone or its runs have failed for days.
    TaskPaused,
}

impl EventField for Category {}

event_field! {
    /// The channels by which a user is notified, and how.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
    #[schema(as = NotificationChannels)]
    pub struct Channels {
        /// Whether the user finds the notification in the inbox.
        pub inbox: bool,
        /// Whether the user is sent a mail.
        pub mail: bool,
        /// Whether the user is sent a text. Builds before did not write it, and sent none.
        #[serde(default)]
        pub sms: bool,
        /// Whether mails come together, as a digest. Builds before did not write it, and sent each for itself.
        #[serde(default)]
        pub digest: bool,
    }
}

impl Channels {
    /// The channels that every user has.
    pub const OF_EVERYBODY: Self = Self {
        inbox: true,
        mail: true,
        sms: false,
        digest: false,
    };

    /// Whether there is any.
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.inbox || self.mail || self.sms
    }

    /// Whether these are all that every user has, and more.
    #[must_use]
    pub const fn are_of_everybody(self) -> bool {
        self.inbox && self.mail
    }
}

/// By which channel a message is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MessageChannel, example = "mail")]
pub enum Channel {
    /// By a mail. Messages that do not say otherwise are mails.
    #[default]
    Mail,
    /// By a text to a telephone.
    Sms,
}

impl EventField for Channel {}

impl Channel {
    /// The name in events, requests and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Sms => "sms",
        }
    }
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 7] = [
        Self::Outbid,
        Self::Won,
        Self::NotWon,
        Self::Sold,
        Self::Unsold,
        Self::EndsSoon,
        Self::TaskPaused,
    ];

    /// Whether the user is told by every channel that all users have, and cannot choose otherwise: a contract has come about.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::Won | Self::Sold => true,
            Self::Outbid | Self::NotWon | Self::Unsold | Self::EndsSoon | Self::TaskPaused => false,
        }
    }

    /// The channels until the user chooses others.
    #[must_use]
    pub const fn default_channels(self) -> Channels {
        match self {
            Self::Outbid
            | Self::Won
            | Self::Sold
            | Self::Unsold
            | Self::EndsSoon
            | Self::TaskPaused => Channels::OF_EVERYBODY,
            Self::NotWon => Channels {
                inbox: true,
                mail: false,
                sms: false,
                digest: false,
            },
        }
    }

    /// The name in events, requests and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbid => "outbid",
            Self::Won => "won",
            Self::NotWon => "not_won",
            Self::Sold => "sold",
            Self::Unsold => "unsold",
            Self::EndsSoon => "ends_soon",
            Self::TaskPaused => "task_paused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_required_category_everybody_is_told_by_every_channel_that_all_have() {
        for category in Category::ALL {
            if category.is_required() {
                assert!(category.default_channels().are_of_everybody());
            }
        }
    }

    #[test]
    fn builds_before_sent_neither_texts_nor_digests() {
        let before = r#"{"inbox":true,"mail":true}"#;
        let channels: Channels = serde_json::from_str(before).unwrap();
        assert_eq!(channels, Channels::OF_EVERYBODY);
    }

    #[test]
    fn names_are_those_in_json() {
        for category in Category::ALL {
            let json = serde_json::to_value(category).unwrap();
            assert_eq!(json, category.name());
        }
    }
}

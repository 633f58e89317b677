//! Events of messages: what one person is told over one channel, and what became of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::messaging::channels::{Category, Channel};
use crate::messaging::notice::{Listing, Notice};
use crate::messaging::template::TemplateVersion;
use crate::{EventField, KeyedHash, Line, Moment, Sealed, Stored, UserId};

id! {
    /// The id of a message. The time in it is the one that the message bears.
    MessageId
}

/// The codes with which a server took a message, or refused it: that of SMTP, and where it gave one that of RFC 3463; of a text
/// that of HTTP, and where it gave one that of the provider.
/// The rest of what servers say may name the recipient.
pub type Status = Line<20>;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Template {
    /// Greets somebody who has registered.
    Welcome,
    /// Brings a notification.
    Notification(Box<Notice>),
    /// Lists the notifications of a digest.
    Digest(Box<Listing>),
    /// Brings the code that proves that a telephone is the user's.
    PhoneCode {
        /// The code, sealed as `phone_code` under a key of the message, which is destroyed when its sending has ended.
        code: Box<Sealed>,
    },
}

impl EventField for Template {}

impl Template {
    /// Whether the message must be told: a contract has come about. Such a message waits as long as it must, and nobody unsubscribes
    /// from it.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        match self {
            // What must be told is never put off.
            Self::Welcome | Self::Digest(_) | Self::PhoneCode { .. } => false,
            Self::Notification(notice) => notice.category.is_required(),
        }
    }

    /// What messages have in common of which a user is sent only so many in an hour.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::PhoneCode { .. } => "phone_code",
            Self::Notification(notice) => notice.category.name(),
            Self::Digest(listing) => listing.category.name(),
        }
    }

    /// The category of notifications that it brings; none if it brings none.
    #[must_use]
    pub const fn category(&self) -> Option<Category> {
        match self {
            Self::Welcome | Self::PhoneCode { .. } => None,
            Self::Notification(notice) => Some(notice.category),
            Self::Digest(listing) => Some(listing.category),
        }
    }
}

/// Why a message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Suppression {
    /// Nothing is sent to the address now.
    Address,
    /// So many messages of its kind wait for the user that it would not be sent while it is of use. Of texts, which never wait: the
    /// user was sent as many as may be.
    TooMany,
    /// As many texts as may be were sent on that day to all users together.
    BudgetSpent,
}

impl EventField for Suppression {}

/// How the sending of a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A server has taken the message, and answers for it from now on.
    Accepted,
    /// The whole message was sent, and no answer came: the server may have taken it. It is not sent again.
    Uncertain,
    /// The server refused the message for good.
    Bounced,
    /// No server took the message while it was of use.
    Expired,
    /// The recipient was erased, so that nobody knows the address any more.
    RecipientErased,
    /// Before the text was sent its number was removed, replaced or stated anew, so that it is of no use there.
    NumberWithdrawn,
}

impl EventField for Outcome {}

/// How it became known that a message was refused after a server had taken it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// By a mail of the server that could not deliver it (RFC 3464).
    Report,
    /// By a call of the provider, with a signature.
    Callback,
}

impl EventField for Via {}

events! {
    /// The events of a message.
    pub enum Event {
        /// A message is to be sent.
        #[serde(rename = "message.requested")]
        Requested {
            /// The message.
            message_id: MessageId,
            /// The user whom it is for.
            user_id: UserId,
            /// By which channel it is sent.
            #[serde(default)]
            channel: Channel,
            /// What it says.
            template: Template,
            /// The address, sealed as `email`; of a text the number, sealed as `phone_number`.
            to: Sealed,
            /// The keyed hash of the normalised address, or of the number. Builds before did not write it.
            to_hash: Option<KeyedHash>,
            /// The name of the user, sealed as `display_name`.
            name: Sealed,
            /// The template whose words it uses; none if it says what it says without one. Builds before did not write it.
            wording: Option<TemplateVersion>,
            /// When it was asked for. Builds before did not write it, and had all messages be of use for a day.
            requested_at: Option<Stored<Moment>>,
            /// After this time it is of no use, and is not sent.
            not_after: Stored<Moment>,
        },
        /// A mail is to be sent later, because the user has been sent enough of its kind for now. Texts never wait.
        #[serde(rename = "message.deferred")]
        Deferred {
            /// The message.
            message_id: MessageId,
            /// The user whom it is for.
            user_id: UserId,
            /// What it says.
            template: Template,
            /// The address, sealed as `email`.
            to: Sealed,
            /// The keyed hash of the normalised address.
            to_hash: KeyedHash,
            /// The name of the user, sealed as `display_name`.
            name: Sealed,
            /// The template whose words it uses; none if it says what it says without one. Builds before did not write it.
            wording: Option<TemplateVersion>,
            /// Before this time it is not sent.
            not_before: Stored<Moment>,
            /// After this time it is of no use, and is not sent.
            not_after: Stored<Moment>,
        },
        /// A message would have been sent, and is not.
        #[serde(rename = "message.suppressed")]
        Suppressed {
            /// The message.
            message_id: MessageId,
            /// The user whom it would have been for.
            user_id: UserId,
            /// By which channel it would have been sent.
            #[serde(default)]
            channel: Channel,
            /// What it would have said.
            template: Template,
            /// The keyed hash of the normalised address, or of the number.
            to_hash: KeyedHash,
            /// Why it is not sent.
            reason: Suppression,
            /// When it would have been sent. Builds before did not write it.
            suppressed_at: Option<Stored<Moment>>,
        },
        /// All of a mail that must arrive was sent, and no answer came: the server may have taken it. It is sent once more, under the same
        /// id, by which the server or the recipient's program may know it.
        #[serde(rename = "message.uncertain")]
        Uncertain {
            /// The message.
            message_id: MessageId,
            /// When it is sent once more.
            repeat_at: Stored<Moment>,
        },
        /// The sending of the message has ended.
        #[serde(rename = "message.ended")]
        Ended {
            /// The message.
            message_id: MessageId,
            /// How.
            outcome: Outcome,
            /// The codes of the server's answer; none if there was none.
            status: Option<Stored<Status>>,
        },
        /// The message has come to the recipient's telephone.
        #[serde(rename = "message.delivered")]
        Delivered {
            /// The message.
            message_id: MessageId,
            /// How that became known.
            via: Via,
        },
        /// The message was refused for good after a server had taken it.
        #[serde(rename = "message.bounced")]
        Bounced {
            /// The message.
            message_id: MessageId,
            /// The code of RFC 3463 that says why; of a text, that of the provider.
            status: Stored<Status>,
            /// How that became known.
            via: Via,
        },
        /// The recipient has complained of the mail, as the server says that it came to (RFC 5965).
        #[serde(rename = "message.complained")]
        Complained {
            /// The message.
            message_id: MessageId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::messaging::notice;
    use crate::samples::{
        DIGEST, DIGEST_MAIL, LATER_MESSAGE, MESSAGE, SELLER, TEXT, UNSENT_MESSAGE, hash, moment,
        sealed, stored,
    };

    vec![
        Event::Requested {
            message_id: MESSAGE,
            user_id: SELLER,
            channel: Channel::Mail,
            template: Template::Welcome,
            to: sealed("ZW1haWw"),
            to_hash: Some(hash("a")),
            name: sealed("bmFtZQ"),
            wording: None,
            requested_at: Some(moment(0).into()),
            not_after: moment(86_400).into(),
        },
        Event::Uncertain {
            message_id: MESSAGE,
            repeat_at: moment(600).into(),
        },
        Event::Ended {
            message_id: MESSAGE,
            outcome: Outcome::Accepted,
            status: Some(stored("250 2.0.0")),
        },
        Event::Bounced {
            message_id: MESSAGE,
            status: stored("5.1.1"),
            via: Via::Report,
        },
        Event::Deferred {
            message_id: LATER_MESSAGE,
            user_id: SELLER,
            template: Template::Welcome,
            to: sealed("ZW1haWw"),
            to_hash: hash("a"),
            name: sealed("bmFtZQ"),
            wording: None,
            not_before: moment(3_600).into(),
            not_after: moment(86_400).into(),
        },
        Event::Complained {
            message_id: LATER_MESSAGE,
        },
        Event::Suppressed {
            message_id: UNSENT_MESSAGE,
            user_id: SELLER,
            channel: Channel::Mail,
            template: Template::Welcome,
            to_hash: hash("a"),
            reason: Suppression::Address,
            suppressed_at: Some(moment(0).into()),
        },
        Event::Requested {
            message_id: TEXT,
            user_id: SELLER,
            channel: Channel::Sms,
            template: Template::PhoneCode {
                code: Box::new(sealed("Y29kZQ")),
            },
            to: sealed("bnVtYmVy"),
            to_hash: Some(hash("c")),
            name: sealed("bmFtZQ"),
            wording: None,
            requested_at: Some(moment(0).into()),
            not_after: moment(600).into(),
        },
        Event::Delivered {
            message_id: TEXT,
            via: Via::Callback,
        },
        Event::Requested {
            message_id: DIGEST_MAIL,
            user_id: SELLER,
            channel: Channel::Mail,
            template: Template::Digest(Box::new(Listing {
                digest_id: DIGEST,
                category: Category::Outbid,
                notices: vec![notice::sample()],
                unlisted: 2,
            })),
            to: sealed("ZW1haWw"),
            to_hash: Some(hash("a")),
            name: sealed("bmFtZQ"),
            wording: None,
            requested_at: Some(moment(0).into()),
            not_after: moment(86_400).into(),
        },
    ]
}

//! Events of templates: what messages say, in the words of operators. There is one stream for each channel, locale and category.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;
use uuid::Builder;

use crate::messaging::channels::{Category, Channel};
use crate::{EventField, Line, Locale, Stored, Text};

id! {
    /// The id of a template.
    TemplateId
}

/// The bytes of an id where others have random bits.
const ID_BYTES: usize = 10;

impl TemplateId {
    /// The id of the template for this, of which there is no other.
    #[must_use]
    pub fn of(channel: Channel, locale: &str, category: MessageCategory) -> Self {
        let name = format!("{} {locale} {}", channel.name(), category.name());
        let hash: [u8; 32] = Sha256::digest(name).into();
        let mut bytes = [0; ID_BYTES];
        bytes.copy_from_slice(&hash[..ID_BYTES]);
        Self(Builder::from_unix_timestamp_millis(0, &bytes).into_uuid())
    }
}

/// The subject of a mail, with places for variables.
pub type SubjectSource = Line<300>;
/// The body of a message, with places for variables.
pub type BodySource = Text<20_000>;

/// What a message that has a template tells of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(example = "outbid")]
pub enum MessageCategory {
    /// Somebody has registered.
    Welcome,
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
    /// A task of the user was paused, and not by the user.
    TaskPaused,
}

impl EventField for MessageCategory {}

impl From<Category> for MessageCategory {
    fn from(category: Category) -> Self {
        match category {
            Category::Outbid => Self::Outbid,
            Category::Won => Self::Won,
            Category::NotWon => Self::NotWon,
            Category::Sold => Self::Sold,
            Category::Unsold => Self::Unsold,
            Category::EndsSoon => Self::EndsSoon,
            Category::TaskPaused => Self::TaskPaused,
        }
    }
}

impl MessageCategory {
    /// The name in events, requests and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
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

/// What a template can have a place for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = TemplateVariable, example = "title")]
pub enum Variable {
    /// The name of the recipient.
    Name,
    /// The title of the product.
    Title,
    /// The highest bid, or the price. There may be none.
    Amount,
    /// The id of the auction.
    AuctionId,
    /// The name of the task.
    Task,
    /// The id of the task.
    TaskId,
    /// Why the task was paused.
    Reason,
}

impl EventField for Variable {}

impl Variable {
    /// The name in templates, events and documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Title => "title",
            Self::Amount => "amount",
            Self::AuctionId => "auction_id",
            Self::Task => "task",
            Self::TaskId => "task_id",
            Self::Reason => "reason",
        }
    }
}

event_field! {
    /// The words of a message: a template, as it was at this version.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct TemplateVersion {
        /// The template.
        pub template_id: TemplateId,
        /// The version of its stream at which these words were published.
        pub version: i64,
    }
}

events! {
    /// The events of a template.
    pub enum Event {
        /// An operator published words, which new messages use from now on.
        #[serde(rename = "template.published")]
        Published {
            /// The template.
            template_id: TemplateId,
            /// The version: the number of this event in its stream.
            version: i64,
            /// By which channel the messages are sent.
            channel: Channel,
            /// The language of the words.
            locale: Stored<Locale>,
            /// What the messages tell of.
            category: MessageCategory,
            /// The subject; none if the messages are texts, which have none.
            subject: Option<Stored<SubjectSource>>,
            /// The body.
            body: Stored<BodySource>,
            /// What they have places for.
            variables: BTreeSet<Variable>,
        },
        /// An operator retired the template, so that new messages say what they say without one.
        #[serde(rename = "template.retired")]
        Retired {
            /// The template.
            template_id: TemplateId,
            /// The number of this event in its stream.
            version: i64,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{TEMPLATE, stored};

    vec![
        Event::Published {
            template_id: TEMPLATE,
            version: 1,
            channel: Channel::Mail,
            locale: stored("en"),
            category: MessageCategory::Welcome,
            subject: Some(stored("Good to see you, {{ name }}")),
            body: stored("Hello {{ name }}"),
            variables: BTreeSet::from([Variable::Name]),
        },
        Event::Retired {
            template_id: TEMPLATE,
            version: 2,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_locale_and_category_has_a_template_of_its_own() {
        let of = |locale, category| TemplateId::of(Channel::Mail, locale, category);
        let one = of("en", MessageCategory::Won);
        assert_eq!(one, of("en", MessageCategory::Won));
        assert_ne!(one, of("de", MessageCategory::Won));
        assert_ne!(one, of("en", MessageCategory::NotWon));
        assert_ne!(
            one,
            TemplateId::of(Channel::Sms, "en", MessageCategory::Won)
        );
        assert_eq!(one.0.get_version_num(), 7);
    }
}

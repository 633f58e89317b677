//! Preferences: by which channels users want to be notified.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::preferences::{Event, Via};
use tidemark_events::{PreferencesId, UserId};

use crate::decision::refusals;
use crate::identity::{access, user};
use crate::messaging::phone;
use crate::{AggregateState, Code, Command, Reason, Refusal, RefusalKind, Stop, View, Write};

/// Why a command on preferences is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Users are told of this in the inbox and by mail.
    #[error("of this everybody is told in the inbox and by mail")]
    Required,
    /// The user gets no mails of the category.
    #[error("the user gets no such mails")]
    Unsubscribed,
    /// Mails of this are sent at once.
    #[error("mails of this are sent at once, each for itself")]
    AtOnce,
    /// The user has no telephone number that texts could be sent to.
    #[error("no telephone number of yours is verified")]
    PhoneUnverified,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Required | Self::Unsubscribed | Self::AtOnce | Self::PhoneUnverified => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Required => Code {
                name: "notification_required",
                meaning: "A contract comes about by what the notification tells of, so that everybody is told of it in the inbox and by mail.",
                what_to_do: "Leave the inbox and mails of this category switched on.",
            },
            Self::AtOnce => Code {
                name: "digest_unavailable",
                meaning: "A contract comes about by what the notification tells of, so that its mail does not wait for others.",
                what_to_do: "Choose no digest for this category.",
            },
            Self::PhoneUnverified => Code {
                name: "phone_unverified",
                meaning: "Texts are sent only to a telephone number that the user has proven to have, and there is none.",
                what_to_do: "State a number, and send the code that a text brings there.",
            },
            Self::Unsubscribed => Code {
                name: "notification_unsubscribed",
                meaning: "The user gets no mails of the category already.",
                what_to_do: "Nothing: it is as wanted.",
            },
        }
    }
}

/// The state of preferences: the channels of each category that the user has chosen any for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    chosen: BTreeMap<Category, Channels>,
}

impl AggregateState for Preferences {
    type Event = Event;

    const NONE: &'static Self = &Self {
        chosen: BTreeMap::new(),
    };
    const STATE_VERSION: i16 = 2;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Changed {
                category, channels, ..
            } => {
                self.chosen.insert(*category, *channels);
            }
            Event::Unsubscribed { category, .. } => {
                let channels = self.channels(*category);
                let without = Channels {
                    mail: false,
                    ..channels
                };
                self.chosen.insert(*category, without);
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.chosen.len() * size_of::<(Category, Channels)>()
    }
}

impl Preferences {
    /// The channels of a category: those that the user has chosen, or those that hold by default.
    fn channels(&self, category: Category) -> Channels {
        let chosen = self.chosen.get(&category).copied();
        chosen.unwrap_or_else(|| category.default_channels())
    }
}

/// By which channels the user is told of this now.
pub(super) fn channels(
    view: &View<'_>,
    user_id: UserId,
    category: Category,
) -> Result<Channels, Stop> {
    let preferences = view.get::<Preferences>(PreferencesId::of(user_id).0)?;
    let channels = preferences.channels(category);
    if category.is_required() {
        return Ok(Channels {
            sms: channels.sms,
            ..Channels::OF_EVERYBODY
        });
    }
    Ok(channels)
}

/// Chooses the channels by which the user who sends the command is told of a category.
#[derive(Clone, Debug)]
pub struct Change {
    /// The user whose preferences are changed.
    pub user_id: UserId,
    /// The category.
    pub category: Category,
    /// The channels.
    pub channels: Channels,
}

impl Command for Change {
    fn name(&self) -> &'static str {
        "change_preferences"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Required, Error::AtOnce, Error::PhoneUnverified]);
        let others = refusals([user::Error::NotFound]);
        [access::user_refusals(), own, others].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let user_id = access::user(view)?;
        if self.user_id != user_id {
            return Err(user::Error::NotFound.into());
        }
        let preferences_id = PreferencesId::of(user_id);
        view.get::<Preferences>(preferences_id.0)?;
        if self.category.is_required() && !self.channels.are_of_everybody() {
            return Err(Error::Required.into());
        }
        if self.category.is_required() && self.channels.digest {
            return Err(Error::AtOnce.into());
        }
        if self.channels.sms && phone::verified(view, user_id)?.is_none() {
            return Err(Error::PhoneUnverified.into());
        }
        Ok(vec![Write::event(
            preferences_id.0,
            Event::Changed {
                preferences_id,
                user_id,
                category: self.category,
                channels: self.channels,
            },
        )])
    }
}

/// Stops the mails of a category. Who sends it need not be known: that the user may be named is proven by the mail that names
/// them.
#[derive(Clone, Debug)]
pub struct Unsubscribe {
    /// The user who gets no more mails.
    pub user_id: UserId,
    /// The category.
    pub category: Category,
    /// How the user has done it.
    pub via: Via,
}

impl Command for Unsubscribe {
    fn name(&self) -> &'static str {
        "unsubscribe"
    }

    fn refusals() -> Vec<Refusal> {
        refusals([Error::Required, Error::Unsubscribed])
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let preferences_id = PreferencesId::of(self.user_id);
        let preferences = view.get::<Preferences>(preferences_id.0)?;
        if self.category.is_required() {
            return Err(Error::Required.into());
        }
        if !preferences.channels(self.category).mail {
            return Err(Error::Unsubscribed.into());
        }
        Ok(vec![Write::event(
            preferences_id.0,
            Event::Unsubscribed {
                preferences_id,
                user_id: self.user_id,
                category: self.category,
                via: self.via,
            },
        )])
    }
}

#[cfg(test)]
mod tests;

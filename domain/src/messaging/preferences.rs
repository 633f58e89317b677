//! Preferences: by which channels users want to be notified.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::preferences::{Event, Via};
use tidemark_events::{PreferencesId, UserId};

use crate::decision::refusals;
use crate::identity::{access, user};
use crate::{AggregateState, Code, Command, Reason, Refusal, RefusalKind, Stop, View, Write};

/// Why a command on preferences is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Users are told of this by every channel.
    #[error("of this everybody is told by every channel")]
    Required,
    /// The user gets no mails of the category.
    #[error("the user gets no such mails")]
    Unsubscribed,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Required | Self::Unsubscribed => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Required => Code {
                name: "notification_required",
                meaning: "A contract comes about by what the notification tells of, so that everybody is told of it by every channel.",
                what_to_do: "Leave the channels of this category as they are.",
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
    const STATE_VERSION: i16 = 1;

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
    if category.is_required() {
        return Ok(Channels::ALL);
    }
    let preferences = view.get::<Preferences>(PreferencesId::of(user_id).0)?;
    Ok(preferences.channels(category))
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
        let own = refusals([Error::Required]);
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
        if self.category.is_required() && self.channels != Channels::ALL {
            return Err(Error::Required.into());
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

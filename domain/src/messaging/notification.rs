//! Notifications: what a user is told, once, by the channels that the user wants.

mod error;
mod pause;
mod raise;
mod seen;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tidemark_events::messaging::notification::Event;
use tidemark_events::{Moment, Stored, UserId};

pub use error::Error;
pub use pause::TellOfPause;
pub use raise::{About, Raise};
pub use seen::{Archive, Read, ReadAll};

use crate::AggregateState;

/// How far the user is with a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// It is not in the inbox: the user is told by other channels only.
    Elsewhere,
    /// The user has not read it.
    Unread,
    /// The user has read it.
    Read,
    /// The user has put it away.
    Archived,
}

/// The state of a notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notification {
    /// There is no such notification.
    #[default]
    None,
    /// A user is notified.
    Raised {
        /// The user.
        user_id: UserId,
        /// The time until which the same is not raised again; none if it never is.
        quiet_until: Option<Stored<Moment>>,
        /// How far the user is with it.
        status: Status,
    },
}

impl Notification {
    const fn set_status(&mut self, now: Status) {
        if let Self::Raised { status, .. } = self {
            *status = now;
        }
    }
}

impl AggregateState for Notification {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Raised {
                user_id,
                channels,
                quiet_until,
                ..
            } => {
                *self = Self::Raised {
                    user_id: *user_id,
                    quiet_until: *quiet_until,
                    status: if channels.inbox {
                        Status::Unread
                    } else {
                        Status::Elsewhere
                    },
                };
            }
            Event::Read { .. } => self.set_status(Status::Read),
            Event::Archived { .. } => self.set_status(Status::Archived),
        }
    }
}

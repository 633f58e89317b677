//! Sessions: refresh tokens that are replaced with each use, known by their keyed hashes. The
//! command API checks passwords, and makes and checks access tokens.

mod end;
mod error;
mod open;
mod refresh;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::session::Event;
use tidemark_events::{KeyedHash, Moment, Stored, UserId};

pub use end::End;
pub use error::Error;
pub use open::Open;
pub use refresh::Refresh;

use crate::AggregateState;

/// The number of spent tokens that a session remembers. When an older one comes back it is refused as an
/// unknown token is, and does not end the session.
const SPENT_MAX: usize = 100;

/// The state of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// There is no such session.
    #[default]
    None,
    /// The session can be refreshed until its token expires.
    Open {
        /// The user whose session this is.
        user_id: UserId,
        /// The keyed hash of the refresh token that is valid now.
        current: KeyedHash,
        /// The keyed hashes of the tokens before it, the oldest first, at most `SPENT_MAX`.
        spent: VecDeque<KeyedHash>,
        /// Until when the last of them is answered again; none before the first is spent.
        grace_until: Option<Stored<Moment>>,
        /// Whether it was, which is on record once.
        is_repeated: bool,
        /// When the token expires unless it is used before.
        idle_until: Stored<Moment>,
        /// When the session ends, however often its token is refreshed.
        ends_at: Stored<Moment>,
    },
    /// The session has ended, and no token of it is valid any more.
    Ended {
        /// The user whose session this was.
        user_id: UserId,
    },
}

impl AggregateState for Session {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 3;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened {
                session_id: _,
                user_id,
                token_hash,
                idle_until,
                ends_at,
                roles: _,
            } => {
                *self = Self::Open {
                    user_id: *user_id,
                    current: token_hash.clone(),
                    spent: VecDeque::new(),
                    grace_until: None,
                    is_repeated: false,
                    idle_until: *idle_until,
                    ends_at: *ends_at,
                };
            }
            Event::Refreshed {
                token_hash,
                idle_until: next_idle_until,
                grace_until: next_grace_until,
                ..
            } => {
                if let Self::Open {
                    current,
                    spent,
                    grace_until,
                    is_repeated,
                    idle_until,
                    ..
                } = self
                {
                    spent.push_back(std::mem::replace(current, token_hash.clone()));
                    if spent.len() > SPENT_MAX {
                        spent.pop_front();
                    }
                    *grace_until = *next_grace_until;
                    *is_repeated = false;
                    *idle_until = *next_idle_until;
                }
            }
            Event::RefreshRepeated { .. } => {
                if let Self::Open { is_repeated, .. } = self {
                    *is_repeated = true;
                }
            }
            Event::Ended { user_id, .. } => *self = Self::Ended { user_id: *user_id },
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None | Self::Ended { .. } => 0,
            Self::Open { current, spent, .. } => {
                (spent.len() + 1) * (current.0.len() + size_of::<KeyedHash>())
            }
        }
    }
}

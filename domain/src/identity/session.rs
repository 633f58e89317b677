//! Sessions: rotating refresh tokens, by their hashes. Passwords and access tokens are the edge's.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::identity::session::{EndReason, Event};
use tidemark_events::{Actor, KeyedHash, SessionId, Timestamp, UserId};

use crate::identity::user::User;
use crate::identity::{access, user};
use crate::{AggregateState, Command, Kind, Reason, Stop, View, Write};

/// So many spent tokens are remembered; an older one that comes back is merely not good.
const SPENT_MAX: usize = 100;

/// Why it may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Of this user there is no such session.
    #[error("there is no such session")]
    NotFound,
    /// It ended before.
    #[error("the session has ended")]
    Ended,
    /// The refresh token is unknown, too old, or of a session that has ended.
    #[error("the refresh token is not good; log in again")]
    InvalidGrant,
}

impl Reason for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Ended => Kind::Conflict,
            Self::InvalidGrant => Kind::Unauthenticated,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "session_not_found",
            Self::Ended => "session_ended",
            Self::InvalidGrant => "invalid_grant",
        }
    }
}

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Session {
    /// There is none.
    #[default]
    None,
    /// Its token may be good.
    Open {
        /// Whose it is.
        user_id: UserId,
        /// Of the token that is good now.
        current: KeyedHash,
        /// Of the last tokens before it, oldest first.
        spent: VecDeque<KeyedHash>,
        /// Until when the token may wait for its use.
        idle_until: Timestamp,
        /// Until when the session may be prolonged at all.
        ends_at: Timestamp,
    },
    /// No token is good any more.
    Ended {
        /// Whose it was.
        user_id: UserId,
    },
}

impl AggregateState for Session {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened {
                session_id: _,
                user_id,
                token_hash,
                idle_until,
                ends_at,
            } => {
                *self = Self::Open {
                    user_id: *user_id,
                    current: token_hash.clone(),
                    spent: VecDeque::new(),
                    idle_until: *idle_until,
                    ends_at: *ends_at,
                };
            }
            Event::Refreshed {
                token_hash,
                idle_until: until,
                ..
            } => {
                if let Self::Open {
                    current,
                    spent,
                    idle_until,
                    ..
                } = self
                {
                    spent.push_back(std::mem::replace(current, token_hash.clone()));
                    if spent.len() > SPENT_MAX {
                        spent.pop_front();
                    }
                    *idle_until = *until;
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

/// Logs in, once the password has been verified.
#[derive(Clone, Debug)]
pub struct Open {
    /// The new session.
    pub session_id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// Of the first refresh token.
    pub token_hash: KeyedHash,
    /// How long a token may wait for its use.
    pub idle_ttl: TimeDelta,
    /// How long the session may be prolonged.
    pub session_ttl: TimeDelta,
}

impl Command for Open {
    fn name(&self) -> &'static str {
        "open_session"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        match view.get::<User>(self.user_id.0)? {
            User::None => return Err(user::Error::NotFound.into()),
            User::Registered { .. } => {}
        }
        let ends_at = view.now() + self.session_ttl;
        Ok(vec![Write::event(
            self.session_id.0,
            Event::Opened {
                session_id: self.session_id,
                user_id: self.user_id,
                token_hash: self.token_hash.clone(),
                idle_until: ends_at.min(view.now() + self.idle_ttl),
                ends_at,
            },
        )])
    }
}

/// Swaps the refresh token for the next one.
///
/// A spent token ends the session (RFC 9700, 4.14.2), and that is a fact: the command succeeds with
/// [`Event::Ended`] in place of [`Event::Refreshed`], and whoever sent it gets no token.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The session.
    pub session_id: SessionId,
    /// Of the token that was sent.
    pub presented: KeyedHash,
    /// Of the token that takes its place.
    pub next: KeyedHash,
    /// How long the next token may wait for its use.
    pub idle_ttl: TimeDelta,
}

impl Command for Refresh {
    fn name(&self) -> &'static str {
        "refresh_session"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (session_id, id) = (self.session_id, self.session_id.0);
        match view.get::<Session>(id)? {
            Session::Open {
                user_id,
                current,
                spent,
                idle_until,
                ends_at,
            } if view.now() < *idle_until => {
                let user_id = *user_id;
                if self.presented == *current {
                    Ok(vec![Write::event(
                        id,
                        Event::Refreshed {
                            session_id,
                            user_id,
                            token_hash: self.next.clone(),
                            idle_until: *ends_at.min(&(view.now() + self.idle_ttl)),
                        },
                    )])
                } else if spent.contains(&self.presented) {
                    Ok(vec![Write::event(
                        id,
                        Event::Ended {
                            session_id,
                            user_id,
                            reason: EndReason::TokenReused,
                        },
                    )])
                } else {
                    Err(Error::InvalidGrant.into())
                }
            }
            Session::None | Session::Open { .. } | Session::Ended { .. } => {
                Err(Error::InvalidGrant.into())
            }
        }
    }
}

/// Logs out.
#[derive(Clone, Debug)]
pub struct End {
    /// The session, of the user who asks.
    pub session_id: SessionId,
}

impl Command for End {
    fn name(&self) -> &'static str {
        "end_session"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let session_id = self.session_id;
        let Actor::User(asking) = *view.actor() else {
            return Err(access::Error::Login.into());
        };
        let (user_id, open) = match view.get::<Session>(session_id.0)? {
            Session::None => return Err(Error::NotFound.into()),
            Session::Open { user_id, .. } => (*user_id, true),
            Session::Ended { user_id } => (*user_id, false),
        };
        if asking != user_id {
            return Err(Error::NotFound.into());
        }
        if !open {
            return Err(Error::Ended.into());
        }
        Ok(vec![Write::event(
            session_id.0,
            Event::Ended {
                session_id,
                user_id,
                reason: EndReason::LoggedOut,
            },
        )])
    }
}

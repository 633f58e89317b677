//! Replacing a refresh token by the next one.

use chrono::TimeDelta;
use tidemark_events::identity::session::{EndReason, Event};
use tidemark_events::{KeyedHash, SessionId};

use super::{Error, Session};
use crate::{Command, Stop, View, Write};

/// Replaces the refresh token by the next one.
///
/// A token that was spent before ends the session, because somebody has a copy of it (RFC 9700, section
/// 4.14.2). The log must hold that, so the command succeeds with [`Event::Ended`] instead of
/// [`Event::Refreshed`], and its sender gets no token.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The session whose token is presented.
    pub session_id: SessionId,
    /// The keyed hash of the token that the client sent.
    pub presented: KeyedHash,
    /// The keyed hash of the token that replaces it.
    pub next: KeyedHash,
    /// For how long the next token is valid unless it is used.
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

//! Replacing a refresh token by the next one.

use chrono::TimeDelta;
use tidemark_events::identity::session::{EndReason, Event};
use tidemark_events::{KeyedHash, Moment, SessionId};

use super::{Error, Session};
use crate::decision::refusals;
use crate::identity::user::User;
use crate::{Command, Refusal, Stop, View, Write};

/// Replaces the refresh token by the next one.
///
/// A token that was spent before ends the session, because somebody has a copy of it (RFC 9700, section
/// 4.14.2). The log must hold that, so the command succeeds with [`Event::Ended`] instead of
/// [`Event::Refreshed`], and its sender gets no token.
///
/// Clients send a token twice without malice, too: two tabs at once, or one whose answer was lost. So the last
/// token that was spent is answered again for a while, with the same next token. That is on record once, as
/// [`Event::RefreshRepeated`], or one token could fill the log. Whoever has a copy gains nothing by it: both hold the same
/// token, and using it twice ends the session.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// The session whose token is presented.
    pub session_id: SessionId,
    /// The keyed hash of the token that the client sent.
    pub presented: KeyedHash,
    /// The keyed hash of the token that follows it, however often it is presented.
    pub next: KeyedHash,
    /// For how long the next token is valid unless it is used.
    pub idle_ttl: TimeDelta,
    /// For how long a token is answered again after it was spent.
    pub grace: TimeDelta,
}

impl Command for Refresh {
    fn name(&self) -> &'static str {
        "refresh_session"
    }

    fn refusals() -> Vec<Refusal> {
        refusals([Error::InvalidGrant])
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let session_id = self.session_id;
        let Session::Open {
            user_id,
            current,
            spent,
            grace_until,
            is_repeated,
            idle_until,
            ends_at,
        } = view.get::<Session>(session_id.0)?
        else {
            return Err(Error::InvalidGrant.into());
        };
        let user_id = *user_id;
        let User::Registered { roles, .. } = view.get::<User>(user_id.0)? else {
            return Err(Error::InvalidGrant.into());
        };
        let (now, roles) = (view.now(), roles.clone());
        if now >= **idle_until {
            return Err(Error::InvalidGrant.into());
        }
        let is_last_spent = spent.back() == Some(&self.presented) && *current == self.next;
        let event = if self.presented == *current {
            Event::Refreshed {
                session_id,
                user_id,
                token_hash: self.next.clone(),
                idle_until: (*ends_at).min(Moment::nearest(now + self.idle_ttl).into()),
                grace_until: Some(Moment::nearest(now + self.grace).into()),
                roles,
            }
        } else if is_last_spent && grace_until.is_some_and(|until| now < *until) {
            if *is_repeated {
                return Ok(Vec::new());
            }
            Event::RefreshRepeated {
                session_id,
                user_id,
                roles,
            }
        } else if spent.contains(&self.presented) {
            Event::Ended {
                session_id,
                user_id,
                reason: EndReason::TokenReused,
            }
        } else {
            return Err(Error::InvalidGrant.into());
        };
        Ok(vec![Write::event(session_id.0, event)])
    }
}

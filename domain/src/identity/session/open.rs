//! Logging in.

use chrono::TimeDelta;
use tidemark_events::identity::session::Event;
use tidemark_events::{KeyedHash, SessionId, UserId};

use crate::identity::user;
use crate::identity::user::User;
use crate::{Command, Stop, View, Write};

/// Opens a session of a user whose password the command API has verified.
#[derive(Clone, Debug)]
pub struct Open {
    /// The id of the new session.
    pub session_id: SessionId,
    /// The user who logs in.
    pub user_id: UserId,
    /// The keyed hash of the first refresh token.
    pub token_hash: KeyedHash,
    /// For how long the token is valid unless it is used.
    pub idle_ttl: TimeDelta,
    /// For how long the session lasts at most, however often its token is refreshed.
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

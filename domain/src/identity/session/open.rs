//! Logging in.

use chrono::TimeDelta;
use tidemark_events::identity::session::Event;
use tidemark_events::{CredentialId, KeyedHash, Moment, Sealed, SessionId, UserId};

use super::Error;
use crate::decision::refusals;
use crate::identity::credential::Credential;
use crate::identity::user::User;
use crate::{Claim, ClaimScope, Command, Refusal, Stop, View, Write};

/// Opens a session of a user whose password the command API has verified. If the address or the password of the
/// user has changed since it did, that was not the user's password.
#[derive(Clone, Debug)]
pub struct Open {
    /// The id of the new session.
    pub session_id: SessionId,
    /// The user who logs in.
    pub user_id: UserId,
    /// The keyed hash of the normalised e-mail address with which the user logs in.
    pub email_hash: KeyedHash,
    /// The stream that the verified hash was read from.
    pub credential_id: CredentialId,
    /// The sealed hash of a password that the password of the user was verified against.
    pub password_hash: Sealed,
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

    fn refusals() -> Vec<Refusal> {
        refusals([Error::InvalidCredentials])
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let email = Claim::new(ClaimScope::Email, &self.email_hash.0);
        let owner = view.owner(&email)?;
        let credential = view.get::<Credential>(self.credential_id.0)?;
        let roles = match (view.get::<User>(self.user_id.0)?, credential) {
            (
                User::Registered {
                    credential_id,
                    roles,
                    ..
                },
                Credential::Password { hash },
            ) if owner == Some(self.user_id.0)
                && *credential_id == self.credential_id
                && *hash == self.password_hash =>
            {
                roles
            }
            _ => return Err(Error::InvalidCredentials.into()),
        };
        let ends_at = Moment::nearest(view.now() + self.session_ttl);
        let idle_until = Moment::nearest(view.now() + self.idle_ttl);
        Ok(vec![Write::event(
            self.session_id.0,
            Event::Opened {
                session_id: self.session_id,
                user_id: self.user_id,
                token_hash: self.token_hash.clone(),
                idle_until: ends_at.min(idle_until).into(),
                ends_at: ends_at.into(),
                roles: roles.clone(),
            },
        )])
    }
}

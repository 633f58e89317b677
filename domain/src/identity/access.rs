//! Who may do what. Sessions and roles are read from the log with everything else that a decision rests on, so
//! a user who has logged out, or lost a role, is refused from the next append on, whatever an access token says.

use tidemark_events::identity::user::Role;
use tidemark_events::{Actor, SessionId, Timestamp, UserId};

use crate::decision::refusals;
use crate::identity::session::Session;
use crate::identity::user::User;
use crate::{Code, Reason, Refusal, RefusalKind, Stop, View};

/// Why the caller may not do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Only a user who is logged in may do this.
    #[error("log in first")]
    Login,
    /// The session in which the user sent this is over.
    #[error("you are logged out; log in again")]
    LoggedOut,
    /// The user lacks the role that this requires.
    #[error("this requires the role {0}")]
    Role(Role),
    /// Only a part of the system may do this, and the caller is a user.
    #[error("only a service may do this")]
    Service,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Login => RefusalKind::Unauthenticated,
            Self::LoggedOut => RefusalKind::LoggedOut,
            Self::Role(_) | Self::Service => RefusalKind::Forbidden,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Login => Code {
                name: "unauthenticated",
                meaning: "The request carries no credential of a user who is logged in, or of a service.",
                what_to_do: "Log in, and send the access token as `Authorization: Bearer`.",
            },
            Self::LoggedOut => Code {
                name: "logged_out",
                meaning: "The session of the access token is over: the user logged out, or it has expired.",
                what_to_do: "Log in again.",
            },
            Self::Role(_) => Code {
                name: "role_required",
                meaning: "The user does not hold the role that this requires.",
                what_to_do: "Ask an administrator for the role.",
            },
            Self::Service => Code {
                name: "service_required",
                meaning: "Only other parts of the system may do this, and a user sent the request.",
                what_to_do: "Nothing: this is not for users.",
            },
        }
    }
}

/// The user who sent the command, if they are logged in now.
pub(crate) fn user(view: &View<'_>) -> Result<UserId, Stop> {
    match (view.actor(), view.session()) {
        (Actor::User(id), Some(session)) => logged_in(view, *id, session),
        _ => Err(Error::Login.into()),
    }
}

/// How [`user`] refuses.
pub(crate) fn user_refusals() -> Vec<Refusal> {
    refusals([Error::Login, Error::LoggedOut])
}

/// The user who sent the command, if they are logged in and hold `role` now.
pub(crate) fn require(view: &View<'_>, role: Role) -> Result<UserId, Stop> {
    let id = user(view)?;
    holder(view, id, role)
}

/// The user `id` on whose behalf the command was sent, if they are logged in in this session and hold `role` now.
pub(crate) fn require_of(
    view: &View<'_>,
    id: UserId,
    session: SessionId,
    role: Role,
) -> Result<UserId, Stop> {
    let id = logged_in(view, id, session)?;
    holder(view, id, role)
}

fn logged_in(view: &View<'_>, id: UserId, session: SessionId) -> Result<UserId, Stop> {
    if is_logged_in(view.get::<Session>(session.0)?, id, view.now()) {
        Ok(id)
    } else {
        Err(Error::LoggedOut.into())
    }
}

fn is_logged_in(session: &Session, id: UserId, now: Timestamp) -> bool {
    match session {
        Session::Open {
            user_id, ends_at, ..
        } => *user_id == id && now < **ends_at,
        Session::None | Session::Ended { .. } => false,
    }
}

/// Refuses the user with this id, unless they are logged in in this session, where nothing is decided.
///
/// # Errors
/// The refusal of a command that somebody sends who is logged out.
pub fn check_session(session: &Session, id: UserId, now: Timestamp) -> Result<(), Refusal> {
    if is_logged_in(session, id, now) {
        Ok(())
    } else {
        Err(Error::LoggedOut.into())
    }
}

fn holder(view: &View<'_>, id: UserId, role: Role) -> Result<UserId, Stop> {
    if view.get::<User>(id.0)?.has(role) {
        Ok(id)
    } else {
        Err(Error::Role(role).into())
    }
}

/// How [`require`] refuses.
pub(crate) fn role_refusals(role: Role) -> Vec<Refusal> {
    [user_refusals(), refusals([Error::Role(role)])].concat()
}

/// Refuses everybody but a service.
pub(crate) fn require_service(view: &View<'_>) -> Result<(), Stop> {
    match view.actor() {
        Actor::Service(_) => Ok(()),
        Actor::User(_) => Err(Error::Service.into()),
        Actor::Anonymous => Err(Error::Login.into()),
    }
}

/// How [`require_service`] refuses.
pub(crate) fn service_refusals() -> Vec<Refusal> {
    refusals([Error::Login, Error::Service])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_what_they_lack() {
        let codes =
            |refusals: Vec<Refusal>| refusals.iter().map(|it| it.code.name).collect::<Vec<_>>();
        let of_users = codes(role_refusals(Role::Buyer));
        assert_eq!(of_users, ["unauthenticated", "logged_out", "role_required"]);
        let of_services = codes(service_refusals());
        assert_eq!(of_services, ["unauthenticated", "service_required"]);
    }
}

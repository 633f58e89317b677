//! Who may do what. Roles are read from the log, so a role that was taken is gone at once.

use tidemark_events::identity::user::Role;
use tidemark_events::{Actor, UserId};

use crate::identity::user::User;
use crate::{Kind, Reason, Stop, View};

/// Why somebody may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It takes a user.
    #[error("log in first")]
    Login,
    /// It takes a role that the user does not hold.
    #[error("this takes the role {0:?}")]
    Role(Role),
    /// It is for a part of the system alone.
    #[error("this is not for users")]
    Service,
}

impl Reason for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Login => Kind::Unauthenticated,
            Self::Role(_) | Self::Service => Kind::Forbidden,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Login => "login_required",
            Self::Role(_) => "role_required",
            Self::Service => "service_required",
        }
    }
}

/// The user who asks, if they hold `role` now.
pub(crate) fn require(view: &View<'_>, role: Role) -> Result<UserId, Stop> {
    let Actor::User(id) = view.actor() else {
        return Err(Error::Login.into());
    };
    require_of(view, *id, role)
}

/// The user, if they hold `role` now.
pub(crate) fn require_of(view: &View<'_>, id: UserId, role: Role) -> Result<UserId, Stop> {
    if view.get::<User>(id.0)?.has(role) {
        Ok(id)
    } else {
        Err(Error::Role(role).into())
    }
}

/// Nobody but a service.
pub(crate) fn require_service(view: &View<'_>) -> Result<(), Stop> {
    match view.actor() {
        Actor::Service(_) => Ok(()),
        Actor::User(_) => Err(Error::Service.into()),
        Actor::Anonymous => Err(Error::Login.into()),
    }
}

//! Who may do what. Roles are read from the log, so a role that is revoked is gone at once.

use tidemark_events::identity::user::Role;
use tidemark_events::{Actor, UserId};

use crate::identity::user::User;
use crate::{Reason, RefusalKind, Stop, View};

/// Why the caller may not do this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Only a user who is logged in may do this.
    #[error("log in first")]
    Login,
    /// The user lacks the role that this requires.
    #[error("this requires the role {0:?}")]
    Role(Role),
    /// Only a part of the system may do this, and the caller is a user.
    #[error("only a service may do this")]
    Service,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Login => RefusalKind::Unauthenticated,
            Self::Role(_) | Self::Service => RefusalKind::Forbidden,
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

/// The user who sent the command, if they hold `role` now.
pub(crate) fn require(view: &View<'_>, role: Role) -> Result<UserId, Stop> {
    let Actor::User(id) = view.actor() else {
        return Err(Error::Login.into());
    };
    require_of(view, *id, role)
}

/// The user `id`, if they hold `role` now.
pub(crate) fn require_of(view: &View<'_>, id: UserId, role: Role) -> Result<UserId, Stop> {
    if view.get::<User>(id.0)?.has(role) {
        Ok(id)
    } else {
        Err(Error::Role(role).into())
    }
}

/// Refuses everybody but a service.
pub(crate) fn require_service(view: &View<'_>) -> Result<(), Stop> {
    match view.actor() {
        Actor::Service(_) => Ok(()),
        Actor::User(_) => Err(Error::Service.into()),
        Actor::Anonymous => Err(Error::Login.into()),
    }
}

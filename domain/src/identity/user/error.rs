//! The reasons for which commands on users are refused.

use tidemark_events::identity::user::Role;

use crate::{Reason, RefusalKind};

/// Why a command on a user is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody has registered under that id.
    #[error("there is no such user")]
    NotFound,
    /// Another user has the address.
    #[error("this e-mail address is registered already")]
    EmailTaken,
    /// There is a first admin already; admins make all others.
    #[error("there is a first admin already")]
    FirstAdminExists,
    /// The user holds the role that is to be granted.
    #[error("the user holds the role {0} already")]
    RoleHeld(Role),
    /// The user does not hold the role that is to be revoked.
    #[error("the user does not hold the role {0}")]
    RoleNotHeld(Role),
    /// Admins cannot revoke their own admin role, so there is always one left.
    #[error("another admin must revoke your admin role")]
    OwnAdminRole,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::EmailTaken
            | Self::FirstAdminExists
            | Self::RoleHeld(_)
            | Self::RoleNotHeld(_)
            | Self::OwnAdminRole => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "user_not_found",
            Self::EmailTaken => "email_taken",
            Self::FirstAdminExists => "first_admin_exists",
            Self::RoleHeld(_) => "role_held",
            Self::RoleNotHeld(_) => "role_not_held",
            Self::OwnAdminRole => "own_admin_role",
        }
    }
}

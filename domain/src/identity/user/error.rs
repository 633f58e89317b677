//! The reasons for which commands on users are refused.

use tidemark_events::identity::user::Role;

use crate::{Code, Reason, RefusalKind};

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

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "user_not_found",
                meaning: "No user has this id.",
                what_to_do: "Check the id.",
            },
            Self::EmailTaken => Code {
                name: "email_taken",
                meaning: "Another user has registered this e-mail address.",
                what_to_do: "Log in, or register another address.",
            },
            Self::FirstAdminExists => Code {
                name: "first_admin_exists",
                meaning: "The first administrator was registered already, which is possible once.",
                what_to_do: "Have an administrator grant the role `admin`.",
            },
            Self::RoleHeld(_) => Code {
                name: "role_held",
                meaning: "The user holds the role that is to be granted.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::RoleNotHeld(_) => Code {
                name: "role_not_held",
                meaning: "The user does not hold the role that is to be revoked.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::OwnAdminRole => Code {
                name: "own_admin_role",
                meaning: "Administrators cannot revoke their own role, so that one is always left.",
                what_to_do: "Have another administrator revoke it.",
            },
        }
    }
}

//! Granting and revoking roles, which only admins do.

use tidemark_events::UserId;
use tidemark_events::identity::user::{Event, Role};

use super::{Error, User};
use crate::decision::refusals;
use crate::identity::access;
use crate::{Command, Refusal, Stop, View, Write};

/// Gives a role to a user.
#[derive(Clone, Debug)]
pub struct GrantRole {
    /// The user who gets the role.
    pub user_id: UserId,
    /// The role to grant.
    pub role: Role,
}

impl Command for GrantRole {
    fn name(&self) -> &'static str {
        "grant_role"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::RoleHeld(Role::Seller)]);
        [access::role_refusals(Role::Admin), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let Self { user_id, role } = *self;
        access::require(view, Role::Admin)?;
        match view.get::<User>(user_id.0)? {
            User::None => Err(Error::NotFound.into()),
            User::Registered { roles, .. } if roles.contains(&role) => {
                Err(Error::RoleHeld(role).into())
            }
            User::Registered { .. } => Ok(vec![Write::event(
                user_id.0,
                Event::RoleGranted { user_id, role },
            )]),
        }
    }
}

/// Takes a role from a user.
#[derive(Clone, Debug)]
pub struct RevokeRole {
    /// The user who loses the role.
    pub user_id: UserId,
    /// The role to revoke.
    pub role: Role,
}

impl Command for RevokeRole {
    fn name(&self) -> &'static str {
        "revoke_role"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([
            Error::NotFound,
            Error::RoleNotHeld(Role::Seller),
            Error::OwnAdminRole,
        ]);
        [access::role_refusals(Role::Admin), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let Self { user_id, role } = *self;
        let admin = access::require(view, Role::Admin)?;
        if admin == user_id && role == Role::Admin {
            return Err(Error::OwnAdminRole.into());
        }
        match view.get::<User>(user_id.0)? {
            User::None => Err(Error::NotFound.into()),
            User::Registered { roles, .. } if !roles.contains(&role) => {
                Err(Error::RoleNotHeld(role).into())
            }
            User::Registered { .. } => Ok(vec![Write::event(
                user_id.0,
                Event::RoleRevoked { user_id, role },
            )]),
        }
    }
}

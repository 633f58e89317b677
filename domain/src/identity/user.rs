//! Users: who they are to the rules, which is their roles. Passwords are `credential`'s.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::credential;
use tidemark_events::identity::user::{Event, Role};
use tidemark_events::{CredentialId, KeyedHash, Sealed, UserId};

use crate::identity::access;
use crate::{AggregateState, Claim, ClaimScope, Command, Kind, Reason, Stop, View, Write};

/// Why it may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody has registered under that id.
    #[error("there is no such user")]
    NotFound,
    /// Another user has the address.
    #[error("this e-mail address is registered already")]
    EmailTaken,
    /// The first admin was made before; admins make the others.
    #[error("there is a first admin already")]
    FirstAdminExists,
    /// Granting what is held.
    #[error("the user holds the role {0:?} already")]
    RoleHeld(Role),
    /// Revoking what is not held.
    #[error("the user does not hold the role {0:?}")]
    RoleNotHeld(Role),
    /// An admin leaves by another admin's hand, so the last one cannot lock everybody out.
    #[error("another admin must revoke your admin role")]
    OwnAdminRole,
}

impl Reason for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::EmailTaken
            | Self::FirstAdminExists
            | Self::RoleHeld(_)
            | Self::RoleNotHeld(_)
            | Self::OwnAdminRole => Kind::Conflict,
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

/// A user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// Nobody registered.
    #[default]
    None,
    /// Somebody did.
    Registered {
        /// The stream of their password.
        credential_id: CredentialId,
        /// What they may do now.
        roles: BTreeSet<Role>,
    },
}

impl User {
    /// Whether they hold the role now.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        match self {
            Self::None => false,
            Self::Registered { roles, .. } => roles.contains(&role),
        }
    }
}

impl AggregateState for User {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match (self, event) {
            (user, Event::Registered { credential_id, .. }) => {
                *user = Self::Registered {
                    credential_id: *credential_id,
                    roles: BTreeSet::from([Role::Buyer]),
                };
            }
            (Self::Registered { roles, .. }, Event::RoleGranted { role, .. }) => {
                roles.insert(*role);
            }
            (Self::Registered { roles, .. }, Event::RoleRevoked { role, .. }) => {
                roles.remove(role);
            }
            (Self::None, Event::RoleGranted { .. } | Event::RoleRevoked { .. }) => {}
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Registered { roles, .. } => roles.len() * size_of::<Role>(),
        }
    }
}

/// Joins as a buyer.
#[derive(Clone, Debug)]
pub struct Register {
    /// The new user.
    pub user_id: UserId,
    /// The new stream of their password.
    pub credential_id: CredentialId,
    /// Sealed as `email`.
    pub email: Sealed,
    /// Of the normalised address.
    pub email_hash: KeyedHash,
    /// Sealed as `display_name`.
    pub display_name: Sealed,
    /// In PHC format, sealed as `password_hash`.
    pub password_hash: Sealed,
}

impl Command for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let email = Claim::new(ClaimScope::Email, &self.email_hash.0);
        if view.owner(&email)?.is_some() {
            return Err(Error::EmailTaken.into());
        }
        Ok(vec![
            Write::event(
                self.user_id.0,
                Event::Registered {
                    user_id: self.user_id,
                    credential_id: self.credential_id,
                    email: self.email.clone(),
                    email_hash: self.email_hash.clone(),
                    display_name: self.display_name.clone(),
                },
            ),
            Write::event(
                self.credential_id.0,
                credential::Event::PasswordSet {
                    credential_id: self.credential_id,
                    user_id: self.user_id,
                    password_hash: self.password_hash.clone(),
                },
            ),
            Write::Claim(email, self.user_id.0),
        ])
    }
}

/// Registers the first admin; there can be only one.
#[derive(Clone, Debug)]
pub struct CreateFirstAdmin(pub Register);

impl Command for CreateFirstAdmin {
    fn name(&self) -> &'static str {
        "create_first_admin"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let Self(register) = self;
        access::require_service(view)?;
        let first_admin = Claim::new(ClaimScope::FirstAdmin, "first_admin");
        if view.owner(&first_admin)?.is_some() {
            return Err(Error::FirstAdminExists.into());
        }
        let mut writes = register.decide(view)?;
        writes.push(Write::event(
            register.user_id.0,
            Event::RoleGranted {
                user_id: register.user_id,
                role: Role::Admin,
            },
        ));
        writes.push(Write::Claim(first_admin, register.user_id.0));
        Ok(writes)
    }
}

/// Gives a user a role.
#[derive(Clone, Debug)]
pub struct GrantRole {
    /// Whom.
    pub user_id: UserId,
    /// Which.
    pub role: Role,
}

impl Command for GrantRole {
    fn name(&self) -> &'static str {
        "grant_role"
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
    /// From whom.
    pub user_id: UserId,
    /// Which.
    pub role: Role,
}

impl Command for RevokeRole {
    fn name(&self) -> &'static str {
        "revoke_role"
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

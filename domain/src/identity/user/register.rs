//! Registration, of anybody and of the first admin.

use tidemark_events::identity::credential;
use tidemark_events::identity::user::{Event, Role};
use tidemark_events::{CredentialId, KeyedHash, Sealed, UserId};

use super::Error;
use crate::decision::refusals;
use crate::identity::access;
use crate::{Claim, ClaimScope, Command, Refusal, Stop, View, Write};

/// Registers a user, who becomes a buyer.
#[derive(Clone, Debug)]
pub struct Register {
    /// The id of the new user.
    pub user_id: UserId,
    /// The id of the new stream that holds the user's password.
    pub credential_id: CredentialId,
    /// The e-mail address, sealed as `email`.
    pub email: Sealed,
    /// The keyed hash of the normalised e-mail address, by which addresses are unique.
    pub email_hash: KeyedHash,
    /// The name that others see, sealed as `display_name`.
    pub display_name: Sealed,
    /// The Argon2id hash of the password in PHC format, sealed as `password_hash`.
    pub password_hash: Sealed,
}

impl Command for Register {
    fn name(&self) -> &'static str {
        "register"
    }

    fn refusals() -> Vec<Refusal> {
        refusals([Error::EmailTaken])
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

/// Registers the first admin. It succeeds once, and only for a service.
#[derive(Clone, Debug)]
pub struct CreateFirstAdmin(pub Register);

impl Command for CreateFirstAdmin {
    fn name(&self) -> &'static str {
        "create_first_admin"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::FirstAdminExists]);
        [access::service_refusals(), own, Register::refusals()].concat()
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

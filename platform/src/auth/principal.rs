//! The principal of a request, as extractors of routes.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Authenticator;
use crate::http::Problem;

/// Who sends a request. The extractor accepts a request without a credential, and answers 401 to one with
/// an invalid credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody who sent no credential.
    Anonymous,
    /// A user, who sent an access token.
    User(User),
    /// Another process, which sent its secret.
    Service(Service),
}

/// A user who is logged in. The extractor answers 401 to the anonymous and 403 to services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id of the user.
    pub id: Uuid,
    /// The id of the session that the access token belongs to.
    pub session_id: Uuid,
    /// The roles that the user had when the token was issued.
    pub roles: Vec<String>,
}

/// A user who is logged in, with the time from which on the access token is accepted no more: for what goes on after the answer
/// has begun. The extractor answers as that of [`User`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The user.
    pub user: User,
    /// The time from which on the access token is accepted no more.
    pub until: DateTime<Utc>,
}

/// Who sends a request, as its credential says.
pub(super) struct Identified {
    pub(super) principal: Principal,
    /// The time from which on the credential is accepted no more; none if it has no such time.
    pub(super) until: Option<DateTime<Utc>>,
}

/// A service. The extractor answers 401 to the anonymous and 403 to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name of the service.
    pub name: String,
    /// The commands that the service may send.
    pub commands: Vec<String>,
    /// Whether it may send the commands of reactors under their names.
    pub acts_as_reactors: bool,
}

/// A user or a service. The extractor answers 401 to the anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

impl Principal {
    /// The text that names the principal in events and logs: `user:<id>`, `service:<name>`, `anonymous`.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(user) => format!("user:{}", user.id),
            Self::Service(service) => format!("service:{}", service.name),
        }
    }
}

impl Identified {
    /// Somebody whose credential does not expire, or who has none.
    pub(super) const fn lasting(principal: Principal) -> Self {
        Self {
            principal,
            until: None,
        }
    }

    /// Who sends this request.
    fn of(parts: &Parts) -> Result<Self, Problem> {
        let authenticator = parts.extensions.get::<Authenticator>();
        let authenticator = authenticator.ok_or_else(|| {
            Problem::internal("the router lacks the layers of `middleware::apply`")
        })?;
        let identified = authenticator.authenticate(&parts.headers)?;
        if let Some(actor) = parts.extensions.get::<RequestActor>() {
            actor.set(identified.principal.actor());
        }
        Ok(identified)
    }
}

impl User {
    /// Whether the token carries `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }
}

impl Service {
    /// Whether the service may send `command`.
    #[must_use]
    pub fn may(&self, command: &str) -> bool {
        self.commands.iter().any(|granted| granted == command)
    }
}

/// A place in a request's extensions where the extractor of the principal leaves its name for the log line.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestActor(Arc<OnceLock<String>>);

impl RequestActor {
    /// Several extractors of one request may call this; all of them find the same principal.
    fn set(&self, actor: String) {
        self.0.get_or_init(|| actor);
    }

    pub(crate) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Identified::of(parts).map(|identified| identified.principal)
    }
}

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Principal::from_request_parts(parts, state).await? {
            Principal::Anonymous => Err(unauthenticated()),
            known @ (Principal::User(_) | Principal::Service(_)) => Ok(Self(known)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        user(Principal::from_request_parts(parts, state).await?)
    }
}

impl<S: Sync> FromRequestParts<S> for LoggedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let identified = Identified::of(parts)?;
        let user = user(identified.principal)?;
        let until = identified.until.ok_or_else(unauthenticated)?;
        Ok(Self { user, until })
    }
}

/// The user, if it is one.
fn user(principal: Principal) -> Result<User, Problem> {
    match principal {
        Principal::User(user) => Ok(user),
        Principal::Service(_) => Err(Problem::insufficient_scope(
            "Only users may do this, and a service sent the request.",
        )),
        Principal::Anonymous => Err(unauthenticated()),
    }
}

impl<S: Sync> FromRequestParts<S> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Principal::from_request_parts(parts, state).await? {
            Principal::Service(service) => Ok(service),
            Principal::User(_) => Err(Problem::insufficient_scope(
                "Only services may do this, and a user sent the request.",
            )),
            Principal::Anonymous => Err(unauthenticated()),
        }
    }
}

/// 401: nobody may do this without a credential, and the request has none.
pub(crate) fn unauthenticated() -> Problem {
    Problem::unauthorized(
        "unauthenticated",
        "Log in, and send the access token with this request.",
    )
}

/// 401: the request tries another way to authenticate than those there are. That is answered as if there were no
/// credential (RFC 6750, section 3.1), because there is no token that could be at fault.
pub(super) fn unknown_scheme() -> Problem {
    Problem::unauthorized(
        "unauthenticated",
        "The scheme in the header authorization is not taken here. Send `Authorization: Bearer <access token>`, \
         with the token of a log-in.",
    )
}

#[cfg(test)]
mod tests {
    use super::RequestActor;
    use crate::testing::user;

    #[test]
    fn a_user_has_the_roles_of_the_token() {
        let user = user();
        assert!(user.has_role("buyer"));
        assert!(!user.has_role("buy") && !user.has_role("seller"));
    }

    #[test]
    fn the_first_name_of_a_principal_is_that_of_the_log_line() {
        let actor = RequestActor::default();
        assert_eq!(actor.get(), None);
        let extractor = actor.clone();
        extractor.set("user:1".to_owned());
        extractor.set("user:2".to_owned());
        assert_eq!(actor.get(), Some("user:1"));
    }
}

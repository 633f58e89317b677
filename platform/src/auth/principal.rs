//! The principal of a request, as extractors.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use uuid::Uuid;

use super::{AccessClaims, Auth};
use crate::http::{Actor, Problem};

/// Who is calling. As an extractor it lets nobody in particular pass, but refuses a bad credential (401).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    Anonymous,
    /// A user, by an access token.
    User(User),
    /// Another process, by its secret.
    Service(Service),
}

/// A user who is logged in. As an extractor: 401 for nobody, 403 for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: Uuid,
    /// The session that the access token belongs to.
    pub session_id: Uuid,
    /// The roles when the token was issued.
    pub roles: Vec<String>,
}

/// A service. As an extractor: 401 for nobody, 403 for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The commands it may send.
    pub commands: Vec<String>,
}

/// Anybody but nobody: 401 for the anonymous.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated(pub Principal);

impl Principal {
    /// How the principal is written in events and logs: `user:<id>`, `service:<name>`, `anonymous`.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Anonymous => "anonymous".to_owned(),
            Self::User(user) => format!("user:{}", user.id),
            Self::Service(service) => format!("service:{}", service.name),
        }
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
    /// Whether it may send `command`.
    #[must_use]
    pub fn may(&self, command: &str) -> bool {
        self.commands.iter().any(|granted| granted == command)
    }
}

impl From<AccessClaims> for User {
    fn from(claims: AccessClaims) -> Self {
        Self {
            id: claims.sub,
            session_id: claims.sid,
            roles: claims.roles,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let auth = parts.extensions.get::<Auth>();
        let auth = auth.ok_or_else(|| Problem::internal("the router is without `http::layers`"))?;
        let principal = auth.principal(&parts.headers)?;
        if let Some(actor) = parts.extensions.get::<Actor>() {
            actor.note(principal.actor());
        }
        Ok(principal)
    }
}

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Principal::from_request_parts(parts, state).await? {
            Principal::Anonymous => Err(anonymous()),
            known @ (Principal::User(_) | Principal::Service(_)) => Ok(Self(known)),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Principal::from_request_parts(parts, state).await? {
            Principal::User(user) => Ok(user),
            Principal::Service(_) => Err(Problem::insufficient_scope(
                "This is for users, not for services.",
            )),
            Principal::Anonymous => Err(anonymous()),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Service {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Principal::from_request_parts(parts, state).await? {
            Principal::Service(service) => Ok(service),
            Principal::User(_) => Err(Problem::insufficient_scope(
                "This is for services, not for users.",
            )),
            Principal::Anonymous => Err(anonymous()),
        }
    }
}

fn anonymous() -> Problem {
    Problem::unauthorized(
        "unauthenticated",
        "Log in, and send the access token with this request.",
    )
}

//! Who sends a command and how: what every command route takes from a request, in one extractor.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::HeaderName;
use axum::http::request::Parts;
use tidemark_events::{Actor, Metadata, UserId};
use tidemark_platform::auth::Principal;
use tidemark_platform::http::{IdempotencyKey, IfMatch, Problem, RequestContext};
use uuid::Uuid;

/// The event that a reactor answers; taken from services alone.
const CAUSATION_ID: HeaderName = HeaderName::from_static("x-causation-id");

/// Who sends a command, why, and on what condition.
#[derive(Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// Method and path.
    pub request: String,
    /// From `If-Match`.
    pub expected_version: Option<i64>,
    /// From `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    context: RequestContext,
    causation_id: Option<Uuid>,
}

impl Caller {
    /// The caller as an actor of the log.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::Anonymous => Actor::Anonymous,
            Principal::User(user) => Actor::User(UserId(user.id)),
            Principal::Service(service) => Actor::Service(service.name.clone()),
        }
    }

    /// Under whom an idempotency key is kept: two people's keys never meet. Without a login it is
    /// the route, as there is no other way to tell.
    #[must_use]
    pub fn idempotency_principal(&self) -> String {
        match &self.principal {
            Principal::Anonymous => format!("route:{}", self.request),
            Principal::User(_) | Principal::Service(_) => self.principal.actor(),
        }
    }

    /// Who and why, for the events.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        Metadata {
            actor: self.actor(),
            correlation_id: self.context.correlation_id,
            causation_id: self.causation_id,
            traceparent: self.context.traceparent.clone(),
        }
    }

    /// For commands that answer secrets, which must not be kept to be answered again.
    ///
    /// # Errors
    /// 400 if the client sent a key all the same.
    pub fn refuse_key(&self) -> Result<(), Problem> {
        match self.idempotency_key {
            None => Ok(()),
            Some(_) => Err(Problem::bad_request(
                "idempotency_key_not_taken",
                "This answers secrets, so it takes no Idempotency-Key.",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        let context = RequestContext::from_request_parts(parts, state).await?;
        let IfMatch(expected) = IfMatch::from_request_parts(parts, state).await?;
        let IdempotencyKey(idempotency_key) =
            IdempotencyKey::from_request_parts(parts, state).await?;
        let path = match parts.extensions.get::<OriginalUri>() {
            Some(OriginalUri(uri)) => uri.path().to_owned(),
            None => parts.uri.path().to_owned(),
        };
        let causation_id = match &principal {
            Principal::Service(_) => parts
                .headers
                .get(CAUSATION_ID)
                .and_then(|value| value.to_str().ok()?.parse().ok()),
            Principal::Anonymous | Principal::User(_) => None,
        };
        Ok(Self {
            principal,
            request: format!("{} {path}", parts.method),
            // A version that no stream can have is one that no stream has.
            expected_version: expected.map(|version| i64::try_from(version).unwrap_or(i64::MAX)),
            idempotency_key,
            context,
            causation_id,
        })
    }
}

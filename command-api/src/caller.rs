//! What every route reads from a request besides its body: who sends it, and on what conditions.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::HeaderName;
use axum::http::request::Parts;
use tidemark_events::{Actor, Metadata, UserId};
use tidemark_platform::auth::Principal;
use tidemark_platform::http::{Correlation, IdempotencyKey, IfMatch, Problem};
use uuid::Uuid;

/// The header in which a service names the event that its command answers. From others it is ignored.
const CAUSATION_ID: HeaderName = HeaderName::from_static("x-causation-id");

/// Who sends a request, what caused it, and on what conditions a command of it may be accepted.
#[derive(Debug)]
pub struct Caller {
    /// The user or service that the request is authenticated as.
    pub principal: Principal,
    /// The method and path of the request.
    pub request: String,
    /// The stream version that `If-Match` demands.
    pub expected_version: Option<i64>,
    /// The `Idempotency-Key` of the request.
    pub idempotency_key: Option<String>,
    correlation: Correlation,
    causation_id: Option<Uuid>,
}

impl Caller {
    /// The caller as the metadata of events names it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        match &self.principal {
            Principal::Anonymous => Actor::Anonymous,
            Principal::User(user) => Actor::User(UserId(user.id)),
            Principal::Service(service) => Actor::Service(service.name.clone()),
        }
    }

    /// The owner of the caller's idempotency keys, so that two users may choose the same key. Anonymous
    /// callers cannot be told apart: they share the keys of a route.
    #[must_use]
    pub fn idempotency_principal(&self) -> String {
        match &self.principal {
            Principal::Anonymous => format!("route:{}", self.request),
            Principal::User(_) | Principal::Service(_) => self.principal.actor(),
        }
    }

    /// The metadata of the events that a command of this request writes.
    #[must_use]
    pub fn metadata(&self) -> Metadata {
        Metadata {
            actor: self.actor(),
            correlation_id: self.correlation.correlation_id,
            causation_id: self.causation_id,
            traceparent: self.correlation.traceparent.clone(),
        }
    }

    /// Refuses an `Idempotency-Key`, for routes whose answers hold secrets: an answer can only be given
    /// again if it was stored, and secrets must not be.
    ///
    /// # Errors
    /// 400 if the client sent a key.
    pub fn refuse_idempotency_key(&self) -> Result<(), Problem> {
        match self.idempotency_key {
            None => Ok(()),
            Some(_) => Err(Problem::bad_request(
                "idempotency_key_not_taken",
                "The answer holds secrets and is not stored, so an Idempotency-Key is not accepted.",
            )),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = Principal::from_request_parts(parts, state).await?;
        let correlation = Correlation::from_request_parts(parts, state).await?;
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
            // A number beyond i64 is the version of no stream, and neither is the largest i64.
            expected_version: expected.map(|version| i64::try_from(version).unwrap_or(i64::MAX)),
            idempotency_key,
            correlation,
            causation_id,
        })
    }
}

//! What every route reads from a request besides its body: who sends it, and on what conditions.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::header::{AUTHORIZATION, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use tidemark_domain::{PROCESS_MANAGERS, ProcessManager};
use tidemark_events::{Actor, Metadata, SessionId, UserId};
use tidemark_platform::auth::{Principal, Service};
use tidemark_platform::http::{
    CAUSATION_ID, Correlation, IdempotencyKey, IfMatch, Problem, REACTOR, ReceivedBody,
};
use tidemark_platform::server::ClientAddress;
use uuid::Uuid;

use crate::admission::Share;

/// The scheme of access tokens.
const BEARER: &[u8] = b"bearer";

/// Who sends a request, what caused it, and on what conditions a command of it may be accepted.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user or service that the request is authenticated as, or the reactor whose command it is.
    pub principal: Principal,
    /// The method and path of the request.
    pub request: String,
    /// The stream versions that `If-Match` accepts.
    pub expected_versions: Option<Vec<i64>>,
    /// The `Idempotency-Key` of the request.
    pub idempotency_key: Option<String>,
    /// From where the request was sent.
    pub address: ClientAddress,
    correlation: Correlation,
    causation_id: Option<Uuid>,
    /// The lines of `If-Match` as they were received.
    if_match: Vec<HeaderValue>,
    body: ReceivedBody,
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

    /// The session in which a user sends the request, by which decisions tell whether they are logged in.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        match &self.principal {
            Principal::User(user) => Some(SessionId(user.session_id)),
            Principal::Anonymous | Principal::Service(_) => None,
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

    /// Whose share of the process the request takes.
    #[must_use]
    pub fn share(&self) -> Share {
        match &self.principal {
            Principal::Anonymous => Share::Address(self.address.0),
            Principal::User(user) => Share::User(user.id),
            Principal::Service(service) => Share::Service(service.name.as_str().into()),
        }
    }

    /// The bytes that an `Idempotency-Key` stands for: the method and path, `If-Match`, and the body as it was
    /// received. What this build reads from them is no part of that, or a build whose commands have one more
    /// field would take a request that is sent again for another one.
    #[must_use]
    pub fn request_bytes(&self) -> Vec<u8> {
        let if_match: Vec<_> = self.if_match.iter().map(HeaderValue::as_bytes).collect();
        let if_match = if_match.join(&b',');
        [self.request.as_bytes(), &if_match, &self.body.0].join(&b'\n')
    }

    /// States what stands for a body that is still on its way, for an `Idempotency-Key`.
    pub fn describe_body(&mut self, description: String) {
        self.body = ReceivedBody(description.into());
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
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let principal = match Principal::from_request_parts(parts, state).await? {
            Principal::Service(service) => {
                let reactor = acting_service(service, &parts.headers, PROCESS_MANAGERS)?;
                Principal::Service(reactor)
            }
            other @ (Principal::Anonymous | Principal::User(_)) => other,
        };
        let correlation = Correlation::from_request_parts(parts, state).await?;
        let address = ClientAddress::from_request_parts(parts, state).await?;
        let body = ReceivedBody::from_request_parts(parts, state).await?;
        let IfMatch(expected) = IfMatch::from_request_parts(parts, state).await?;
        let IdempotencyKey(idempotency_key) =
            IdempotencyKey::from_request_parts(parts, state).await?;
        let path = match parts.extensions.get::<OriginalUri>() {
            Some(OriginalUri(uri)) => uri.path().to_owned(),
            None => parts.uri.path().to_owned(),
        };
        // Users answer no events: what they send as one is ignored, as a reactor is that they name.
        let causation_id = match &principal {
            Principal::Service(_) => causation_id(&parts.headers)?,
            Principal::Anonymous | Principal::User(_) => None,
        };
        Ok(Self {
            principal,
            request: format!("{} {path}", parts.method),
            expected_versions: expected.map(of_streams),
            idempotency_key,
            address,
            correlation,
            causation_id,
            if_match: parts.headers.get_all(IF_MATCH).iter().cloned().collect(),
            body,
        })
    }
}

/// A caller whose access token is not looked at, for the routes by which users come to one: a client whose token has
/// expired must be able to refresh it, although it sends it with every request. Services have no business there.
#[derive(Debug)]
pub struct UnknownCaller(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for UnknownCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let is_token = |value: &HeaderValue| {
            let scheme = value.as_bytes().get(..BEARER.len());
            scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER))
        };
        if parts.headers.get(AUTHORIZATION).is_some_and(is_token) {
            parts.headers.remove(AUTHORIZATION);
        }
        Caller::from_request_parts(parts, state).await.map(Self)
    }
}

/// No `Idempotency-Key`, for routes whose answers hold secrets: an answer can only be given again if it was stored, and
/// secrets must not be. Nor do routes take one whose requests say themselves what they go on with, or each of whose requests counts.
/// Of whatever form a key is, it is refused, and before anything else is read.
#[derive(Debug)]
pub struct NoIdempotencyKey;

impl NoIdempotencyKey {
    /// The problem with an `Idempotency-Key` whose answer would hold secrets.
    #[must_use]
    pub fn key_sent() -> Problem {
        Problem::bad_request(
            "idempotency_key_not_taken",
            "An Idempotency-Key is not accepted here.",
        )
        .explained(
            "The answer holds secrets and is not stored, so it cannot be given again under an Idempotency-Key; or the request \
             acts once anyway, since it says from where on an upload goes on; or each request counts, since it tries a code.",
            "Leave Idempotency-Key out.",
        )
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NoIdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match IdempotencyKey::from_request_parts(parts, state).await {
            Ok(IdempotencyKey(None)) => Ok(Self),
            Ok(IdempotencyKey(Some(_))) | Err(_) => Err(Self::key_sent()),
        }
    }
}

/// The event that a command of a service answers, if it names one.
fn causation_id(headers: &HeaderMap) -> Result<Option<Uuid>, Problem> {
    let Some(value) = headers.get(CAUSATION_ID) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let id = text.parse().ok();
    // UUIDs have other forms, which no header or body takes.
    let id = id.filter(|id: &Uuid| id.to_string().eq_ignore_ascii_case(text));
    id.map(Some).ok_or_else(malformed_causation_id)
}

/// The problem with a cause that is no id of an event.
#[must_use]
pub fn malformed_causation_id() -> Problem {
    let detail = "X-Causation-Id must be a UUID.";
    Problem::bad_request("invalid_causation_id", detail).explained(
        "X-Causation-Id is no id of an event.",
        "Send the `event_id` of the event that the command answers, or leave the header out.",
    )
}

/// Those that a stream can be at: a number beyond i64 is the version of none.
fn of_streams(versions: Vec<u64>) -> Vec<i64> {
    let versions = versions.into_iter().map(i64::try_from);
    versions.filter_map(Result::ok).collect()
}

/// The service as which a request acts: the service that sends it, or the reactor that it names. As a
/// reactor it may send the commands that the process manager lists, and its events and idempotency keys
/// carry the reactor's name. So all reactors need one credential only.
///
/// # Errors
/// 403 if the service may not act as reactors, or if this build has no such reactor.
fn acting_service(
    service: Service,
    headers: &HeaderMap,
    process_managers: &[ProcessManager],
) -> Result<Service, Problem> {
    let Some(name) = headers.get(REACTOR) else {
        return Ok(service);
    };
    if name == service.name.as_str() {
        return Ok(service);
    }
    let reactor = process_managers.iter().find(|it| name == it.name);
    match reactor.filter(|_| service.acts_as_reactors) {
        Some(reactor) => Ok(Service {
            name: reactor.name.to_owned(),
            commands: reactor.commands.iter().map(|&it| it.to_owned()).collect(),
            acts_as_reactors: false,
        }),
        None => Err(Problem::insufficient_scope(
            "This service may not act as this reactor.",
        )),
    }
}

#[cfg(test)]
mod tests;

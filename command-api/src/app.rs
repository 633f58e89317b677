//! What every route works with, and the one way from a request to the executor.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_domain::Command;
use tidemark_event_store::{KeyUse, Keys, LookupKey};
use tidemark_platform::auth::{Issuer, Principal, Verifier};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Config;
use tidemark_platform::http::{Json, Problem, etag};
use tidemark_platform::token::Token;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Error;
use crate::executor::{Executor, Idempotency, Intent, Receipt};
use crate::passwords::Passwords;

/// Tells an answer that was built again from its record.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The parts that routes share.
#[derive(Clone)]
pub struct App {
    /// The way into the log.
    pub executor: Executor,
    /// Data subjects' keys.
    pub keys: Keys,
    /// Keyed hashes.
    pub lookup: Arc<LookupKey>,
    /// Password hashing.
    pub passwords: Passwords,
    /// Signs access tokens.
    pub issuer: Arc<Issuer>,
    /// The public side of it.
    pub verifier: Arc<Verifier>,
    /// The log's time.
    pub clock: Clock,
    /// All settings.
    pub config: Arc<Config>,
}

/// The answer to a command that is in the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// What the command was about.
    pub id: Uuid,
    /// Its version now, for `If-Match`.
    pub version: i64,
}

/// A command, with what its route says about it.
pub struct Order<C> {
    /// What the answer is about.
    pub stream_id: Uuid,
    /// The status of the answer.
    pub status: StatusCode,
    /// The command.
    pub command: C,
    /// The keys of data subjects that its sealed values need.
    pub keys: Vec<KeyUse>,
}

impl<C: Command> Order<C> {
    /// Something new: 201.
    pub const fn create(stream_id: Uuid, command: C) -> Self {
        Self {
            stream_id,
            status: StatusCode::CREATED,
            command,
            keys: Vec::new(),
        }
    }

    /// A change of something: 200.
    pub const fn change(stream_id: Uuid, command: C) -> Self {
        Self {
            stream_id,
            status: StatusCode::OK,
            command,
            keys: Vec::new(),
        }
    }
}

impl App {
    /// Executes a command and answers; `body` is what makes this request this request.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer<C: Command>(
        &self,
        caller: Caller,
        body: &impl Serialize,
        order: Order<C>,
    ) -> Result<Response, Problem> {
        Ok(answer(&self.execute(caller, body, order).await?))
    }

    /// Executes a command.
    ///
    /// # Errors
    /// See [`Executor::execute`].
    pub async fn execute<C: Command>(
        &self,
        caller: Caller,
        body: &impl Serialize,
        order: Order<C>,
    ) -> Result<Receipt, Error> {
        let name = order.command.name();
        if let Principal::Service(service) = &caller.principal
            && !service.may(name)
        {
            return Err(Error::CommandNotAllowed(name));
        }
        let idempotency = self.idempotency(&caller, body)?;
        self.executor
            .execute(Intent {
                metadata: caller.metadata(),
                stream_id: order.stream_id,
                status: order.status.as_u16(),
                expected_version: caller.expected_version,
                idempotency,
                keys: order.keys,
                command: Arc::new(order.command),
            })
            .await
    }

    fn idempotency(
        &self,
        caller: &Caller,
        body: &impl Serialize,
    ) -> Result<Option<Idempotency>, Error> {
        let Some(key) = caller.idempotency_key.clone() else {
            return Ok(None);
        };
        let body = serde_json::to_string(body).map_err(Error::internal)?;
        let request = format!("{}\n{:?}\n{body}", caller.request, caller.expected_version);
        Ok(Some(Idempotency {
            principal: caller.idempotency_principal(),
            key,
            request_hash: self.lookup.mac("request", request.as_bytes()),
        }))
    }
}

/// The answer to a command that is in the log.
fn answer(receipt: &Receipt) -> Response {
    let status = StatusCode::from_u16(receipt.status).unwrap_or(StatusCode::OK);
    let token = Token {
        timeline: receipt.timeline,
        position: receipt.position,
    };
    let version = u64::try_from(receipt.version).unwrap_or(0);
    let done = Done {
        id: receipt.stream_id,
        version: receipt.version,
    };
    let mut response = (status, token, [etag(version)], Json(done)).into_response();
    if receipt.replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

//! What every route works with, and the one way from a request to the executor and back.

use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_domain::Command;
use tidemark_event_store::{LookupKey, SubjectKeys};
use tidemark_platform::auth::{Issuer, Principal, Verifier};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Config;
use tidemark_platform::http::{Json, Problem, etag};
use tidemark_platform::tidemark::Token;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Error;
use crate::executor::{Accepted, Executor, Idempotency, Submission};
use crate::identity::passwords::Passwords;

/// The header that marks an answer which was built from an idempotency record.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The parts of the process that routes share.
#[derive(Clone)]
pub struct App {
    /// Executes commands.
    pub executor: Executor,
    /// The keys of data subjects, for sealing and unsealing personal data.
    pub subject_keys: SubjectKeys,
    /// Makes the keyed hashes by which values are compared without being unsealed.
    pub lookup_key: Arc<LookupKey>,
    /// Checks and hashes passwords.
    pub passwords: Passwords,
    /// Signs access tokens.
    pub issuer: Arc<Issuer>,
    /// Verifies access tokens, and publishes the keys for it.
    pub verifier: Arc<Verifier>,
    /// The time of Postgres.
    pub clock: Clock,
    /// All settings.
    pub config: Arc<Config>,
}

/// The answer to a command that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub struct AcceptedBody {
    /// The id of what the command created or changed.
    pub id: Uuid,
    /// Its version after the command. Send it in `If-Match` with the next command, which is refused if
    /// something else has changed meanwhile.
    pub version: i64,
}

impl App {
    /// Executes a command that creates something, and answers 201.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn create(
        &self,
        caller: &Caller,
        stream_id: Uuid,
        command: impl Command,
    ) -> Result<Response, Problem> {
        let submission = self.submission(caller, StatusCode::CREATED, stream_id, command)?;
        self.answer(submission).await
    }

    /// Executes a command that changes something, and answers 200.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn change(
        &self,
        caller: &Caller,
        stream_id: Uuid,
        command: impl Command,
    ) -> Result<Response, Problem> {
        let submission = self.submission(caller, StatusCode::OK, stream_id, command)?;
        self.answer(submission).await
    }

    /// Executes a submission and answers with the id and version of its stream.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer(&self, submission: Submission) -> Result<Response, Problem> {
        Ok(response(&self.executor.execute(submission).await?))
    }

    /// A command with what the request says about it. `status` is what is answered if it is accepted.
    ///
    /// # Errors
    /// [`Error::CommandNotAllowed`] if the caller is a service that may not send this command.
    pub fn submission(
        &self,
        caller: &Caller,
        status: StatusCode,
        stream_id: Uuid,
        command: impl Command,
    ) -> Result<Submission, Error> {
        let name = command.name();
        if let Principal::Service(service) = &caller.principal
            && !service.may(name)
        {
            return Err(Error::CommandNotAllowed(name));
        }
        Ok(Submission {
            command: Arc::new(command),
            metadata: caller.metadata(),
            session: caller.session(),
            share: caller.share(),
            stream_id,
            status,
            expected_version: caller.expected_version,
            idempotency: self.idempotency(caller),
            subject_keys: Vec::new(),
        })
    }

    fn idempotency(&self, caller: &Caller) -> Option<Idempotency> {
        Some(Idempotency {
            principal: caller.idempotency_principal(),
            key: caller.idempotency_key.clone()?,
            request_hash: self.lookup_key.mac("request", &caller.request_bytes()),
        })
    }
}

fn response(accepted: &Accepted) -> Response {
    let token = Token {
        timeline: accepted.timeline,
        position: accepted.position,
    };
    let version = u64::try_from(accepted.version).unwrap_or(0);
    let body = AcceptedBody {
        id: accepted.stream_id,
        version: accepted.version,
    };
    let mut response = (accepted.status, token, [etag(version)], Json(body)).into_response();
    if accepted.replayed {
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

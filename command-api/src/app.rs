//! What every route works with, and the one way from a request to the executor and back.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_domain::Command;
use tidemark_event_store::{Log, LookupKey, RecordId, SubjectKeys};
use tidemark_events::Locale;
use tidemark_platform::auth::{Issuer, Principal, Verifier};
use tidemark_platform::clock::Clock;
use tidemark_platform::config::Config;
use tidemark_platform::http::{IDEMPOTENCY_REPLAYED, Json, Problem, etag};
use tidemark_platform::tidemark::Token;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::caller::Caller;
use crate::error::Error;
use crate::executor::{Accepted, Executor, Idempotency, Submission};
use crate::identity::passwords::Passwords;
use crate::media::Media;
use crate::schedules::Schedules;

/// The parts of the process that routes share.
#[derive(Clone)]
pub struct App {
    /// Executes commands.
    pub executor: Executor,
    /// Reads the log.
    pub log: Log,
    /// The keys of data subjects, for sealing and unsealing personal data.
    pub subject_keys: SubjectKeys,
    /// Makes the keyed hashes by which values are compared without being unsealed.
    pub lookup_key: Arc<LookupKey>,
    /// Checks and hashes passwords.
    pub passwords: Passwords,
    /// Receives and keeps what users upload; none if this deployment keeps nothing.
    pub media: Option<Media>,
    /// Has schedules of tasks read in turn.
    pub schedules: Schedules,
    /// Signs access tokens.
    pub issuer: Arc<Issuer>,
    /// Verifies access tokens, and publishes the keys for it.
    pub verifier: Arc<Verifier>,
    /// The time of Postgres.
    pub clock: Clock,
    /// The language of the templates that mails use.
    pub mail_locale: Locale,
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
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

impl AcceptedBody {
    const fn of(accepted: &Accepted) -> Self {
        Self {
            id: accepted.stream_id,
            version: accepted.version,
        }
    }
}

/// The path where a client finds what it has created, with `{id}` for its id. It is that of the query API,
/// unless only the command API has one.
#[derive(Clone, Copy, Debug)]
pub struct Location(pub &'static str);

impl Location {
    /// `Location` of the thing with this id.
    #[must_use]
    pub fn header(self, id: Uuid) -> HeaderMap {
        let path = HeaderValue::try_from(self.0.replace("{id}", &id.to_string()));
        path.map(|path| (LOCATION, path)).into_iter().collect()
    }
}

impl App {
    /// Executes a command that creates something, and answers 201 with its location.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn create(
        &self,
        caller: &Caller,
        stream_id: Uuid,
        command: impl Command,
        location: Location,
    ) -> Result<Response, Problem> {
        let submission = self.submission(caller, StatusCode::CREATED, stream_id, command)?;
        self.answer_created(submission, location).await
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
        Ok(response(&self.executor.execute(submission).await?))
    }

    /// Executes a submission that creates something, and answers with the id, the version and the location
    /// of its stream.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer_created(
        &self,
        submission: Submission,
        location: Location,
    ) -> Result<Response, Problem> {
        Ok(created(&self.executor.execute(submission).await?, location))
    }

    /// Executes a submission that creates something, and answers as [`Self::answer_created`] does, with what `show` makes of it
    /// in place of the usual body.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer_created_with<B: Serialize>(
        &self,
        submission: Submission,
        location: Location,
        show: impl FnOnce(AcceptedBody) -> B,
    ) -> Result<Response, Problem> {
        let accepted = self.executor.execute(submission).await?;
        let headers = location.header(accepted.stream_id);
        Ok((headers, response_with(&accepted, show)).into_response())
    }

    /// Executes a submission, and answers with what `show` makes in place of the usual body.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer_with<B: Serialize>(
        &self,
        submission: Submission,
        show: impl FnOnce(AcceptedBody) -> B,
    ) -> Result<Response, Problem> {
        let accepted = self.executor.execute(submission).await?;
        Ok(response_with(&accepted, show))
    }

    /// Executes a submission, and answers with what `find` finds in place of the usual body.
    ///
    /// # Errors
    /// The problem to answer.
    pub async fn answer_with_found<B: Serialize>(
        &self,
        submission: Submission,
        find: impl AsyncFnOnce(AcceptedBody) -> Result<B, Problem>,
    ) -> Result<Response, Problem> {
        let accepted = self.executor.execute(submission).await?;
        let found = find(AcceptedBody::of(&accepted)).await?;
        Ok(response_with(&accepted, |_| found))
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
            expected_versions: caller.expected_versions.clone(),
            idempotency: self.idempotency(caller),
            subject_keys: Vec::new(),
        })
    }

    fn idempotency(&self, caller: &Caller) -> Option<Idempotency> {
        let principal = caller.idempotency_principal();
        let key = caller.idempotency_key.clone()?;
        let is_service = matches!(caller.principal, Principal::Service(_));
        Some(Idempotency {
            id: RecordId::of(&principal, &key),
            service_key: is_service.then_some((principal, key)),
            request_hash: self.lookup_key.mac("request", &caller.request_bytes()),
        })
    }
}

/// Answers a command that has created something with the id, the version and the location of its stream.
pub(crate) fn created(accepted: &Accepted, location: Location) -> Response {
    (location.header(accepted.stream_id), response(accepted)).into_response()
}

/// Answers a command with what its headers say alone.
pub(crate) fn answer_without_body(accepted: &Accepted) -> Response {
    let mut response = response(accepted);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.body_mut() = Body::empty();
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// Answers a command with the id and the version of its stream.
pub(crate) fn response(accepted: &Accepted) -> Response {
    response_with(accepted, |body| body)
}

/// Answers a command with what `show` makes in place of the usual body.
pub(crate) fn response_with<B: Serialize>(
    accepted: &Accepted,
    show: impl FnOnce(AcceptedBody) -> B,
) -> Response {
    let token = Token {
        timeline: accepted.timeline,
        position: accepted.position,
    };
    let version = u64::try_from(accepted.version).unwrap_or(0);
    let body = show(AcceptedBody::of(accepted));
    let mut response = (accepted.status, token, [etag(version)], Json(body)).into_response();
    if accepted.replayed {
        response
            .headers_mut()
            .insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

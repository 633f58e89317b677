//! Puts readings of history on record. It asks the command API to do so, because this process may not
//! append.

use std::time::Duration;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tidemark_events::audit::reading::Scope;
use tidemark_platform::Config;
use tidemark_platform::auth::{ServiceCredential, User};
use tidemark_platform::http::Correlation;
use tidemark_platform::ids::new_id;
use uuid::Uuid;

use crate::error::Error;
use crate::start_error::StartError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The code with which the command API refuses a reader whose session is over.
const LOGGED_OUT: &str = "logged_out";

/// Puts readings of history on record.
pub(crate) struct ReadingRecorder {
    client: reqwest::Client,
    url: String,
    authorization: HeaderValue,
}

/// The body of the command.
#[derive(Serialize)]
struct Reading<'a> {
    reader_id: Uuid,
    session_id: Uuid,
    scope: &'a Scope,
}

/// What tells one refusal from another.
#[derive(Deserialize)]
struct Refusal {
    code: String,
}

impl ReadingRecorder {
    /// A recorder that authenticates with the credential of this service.
    ///
    /// # Errors
    /// If that credential is not configured, or the HTTP client cannot be built.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let timeout = Duration::from_millis(config.query.record_timeout_ms);
        Ok(Self {
            client: reqwest::Client::builder()
                .timeout(timeout)
                .no_proxy()
                .build()?,
            url: format!("{}/v1/readings", config.command_api.url),
            authorization: ServiceCredential::from_config(config)?.authorization()?,
        })
    }

    /// Records that `reader` is about to be shown `scope`, which may be shown only if this succeeds.
    ///
    /// # Errors
    /// [`Error::NotAuditor`] if the reader is no auditor at this moment, whatever the access token still says;
    /// [`Error::LoggedOut`] if the reader has logged out since it was issued; [`Error::NotRecorded`] if the command API is not reached or refuses for another reason.
    pub(crate) async fn record(
        &self,
        correlation: &Correlation,
        reader: &User,
        scope: &Scope,
    ) -> Result<(), Error> {
        let reading = Reading {
            reader_id: reader.id,
            session_id: reader.session_id,
            scope,
        };
        let mut headers: HeaderMap = correlation.headers();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        // Both attempts carry the same key, so the reading is recorded once.
        let key = new_id().to_string();
        headers.insert(
            IDEMPOTENCY_KEY,
            HeaderValue::try_from(key).map_err(|e| not_recorded(&e))?,
        );
        let send = || {
            let request = self.client.post(&self.url).headers(headers.clone());
            request.json(&reading).send()
        };
        let answer = match send().await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the command API did not answer a reading, so it is sent again");
                send().await.map_err(|e| not_recorded(&e))?
            }
        };
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::FORBIDDEN => Err(Error::NotAuditor),
            StatusCode::UNAUTHORIZED => Err(unauthorized(answer).await),
            status => Err(not_recorded(&status)),
        }
    }
}

/// Whether it is the reader who is not logged in, or this service.
async fn unauthorized(answer: reqwest::Response) -> Error {
    match answer.json::<Refusal>().await {
        Ok(refusal) if refusal.code == LOGGED_OUT => Error::LoggedOut,
        Ok(refusal) => not_recorded(&refusal.code),
        Err(error) => not_recorded(&error),
    }
}

fn not_recorded(cause: &impl ToString) -> Error {
    Error::NotRecorded(cause.to_string())
}

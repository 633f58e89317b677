//! The command API, to which the operators' tool sends what changes the log.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::AUTHORIZATION;
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tidemark_platform::Config;
use tidemark_platform::auth::ServiceCredential;
use tidemark_platform::tidemark::{HEADER, Token};

use super::Error;

/// The command API, with the credential of the tool.
pub(super) struct CommandApi<'a> {
    config: &'a Config,
    client: Client,
}

/// Why a command was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The stable code; none if the answer was not the command API's.
    pub(super) code: Option<String>,
    text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'a> CommandApi<'a> {
    /// # Errors
    /// If an HTTP client cannot be made.
    pub(super) fn new(config: &'a Config) -> Result<Self, Error> {
        let timeout = Duration::from_millis(config.http.handler_timeout_ms);
        let client = Client::builder().timeout(timeout).build();
        let client = client.map_err(Error::CommandApi)?;
        Ok(Self { config, client })
    }

    /// Sends a command, under an idempotency key if there is one. Returns the position that the answer reflects.
    ///
    /// # Errors
    /// If it is not answered. A refusal is an answer.
    pub(super) async fn post(
        &self,
        path: &str,
        key: Option<String>,
        body: &Value,
    ) -> Result<Result<i64, Refusal>, Error> {
        let credential = ServiceCredential::from_config(self.config)?.authorization()?;
        let mut request = self
            .client
            .post(format!("{}{path}", self.config.command_api.url))
            .header(AUTHORIZATION, credential)
            .json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await.map_err(Error::CommandApi)?;
        let status = response.status();
        let token = response.headers().get(HEADER);
        let token = token.and_then(|it| it.to_str().ok()?.parse::<Token>().ok());
        let position = token.map_or(0, |token| token.position);
        let body = response.bytes().await.map_err(Error::CommandApi)?;
        Ok(outcome(status, &body).map(|()| position))
    }

    /// Sends a command that puts on record what the tool is about to do. Returns the position of the record.
    ///
    /// # Errors
    /// If it is not answered, or refused: then nothing may be done.
    pub(super) async fn record(&self, path: &str, body: &Value) -> Result<i64, Error> {
        accepted(self.post(path, None, body).await?)
    }

    /// The same for a command that an operator repeats because its end was not seen, and that then records nothing more.
    /// `attempt` is what tells it from the same command after another failure.
    ///
    /// # Errors
    /// As [`Self::record`].
    pub(super) async fn record_once(
        &self,
        path: &str,
        body: &Value,
        attempt: &str,
    ) -> Result<i64, Error> {
        // Names of reactors and targets may be longer than a key.
        let key = URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{path} {body} {attempt}")));
        accepted(self.post(path, Some(key), body).await?)
    }
}

fn accepted(answer: Result<i64, Refusal>) -> Result<i64, Error> {
    answer.map_err(|refusal| Error::Refused(refusal.to_string()))
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Deserialize)]
struct FieldError {
    #[serde(default)]
    pointer: String,
    detail: String,
}

fn outcome(status: StatusCode, body: &[u8]) -> Result<(), Refusal> {
    if status.is_success() {
        return Ok(());
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Err(Refusal {
            code: None,
            text: status.to_string(),
        });
    };
    let errors = problem
        .errors
        .iter()
        .map(|error| format!("\n  {} {}", error.pointer, error.detail));
    let errors: String = errors.collect();
    Err(Refusal {
        text: format!("{} ({}){errors}", problem.detail, problem.code),
        code: Some(problem.code),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_each_field_and_its_error() {
        let problem = br#"{"code":"invalid","detail":"No.","errors":[{"pointer":"/password","detail":"too short"}]}"#;
        let refusal = outcome(StatusCode::UNPROCESSABLE_ENTITY, problem).unwrap_err();
        assert_eq!(refusal.to_string(), "No. (invalid)\n  /password too short");
        assert_eq!(refusal.code.as_deref(), Some("invalid"));
    }

    #[test]
    fn an_answer_of_another_server_is_a_refusal_too() {
        let refusal = outcome(StatusCode::NOT_FOUND, b"<html>").unwrap_err();
        assert_eq!(refusal.to_string(), "404 Not Found");
        assert_eq!(outcome(StatusCode::CREATED, b""), Ok(()));
    }
}

//! The public API, as a client that knows nothing else.

use std::fmt;

use reqwest::{Client, Method};
use serde_json::Value;

/// A request that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The problem's stable code; empty if there was no answer.
    pub(crate) code: String,
    detail: String,
}

impl Failure {
    /// Anything that went wrong on the way.
    pub(crate) fn from_display(error: impl fmt::Display) -> Self {
        Self {
            code: String::new(),
            detail: error.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.detail)
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::from_display(error)
    }
}

/// An answer: its document, and the position that it reflects.
pub(crate) struct Answer {
    /// The document.
    pub(crate) body: Value,
    /// `Tidemark`.
    pub(crate) tidemark: String,
}

impl Answer {
    /// The `id` of the document.
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// Both APIs.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    command_url: String,
    query_url: String,
}

impl Api {
    /// At these URLs.
    pub(crate) fn new(command_url: &str, query_url: &str) -> Self {
        Self {
            http: Client::new(),
            command_url: command_url.to_owned(),
            query_url: query_url.to_owned(),
        }
    }

    /// Sends a command.
    pub(crate) async fn command(
        &self,
        path: &str,
        token: &str,
        body: &Value,
    ) -> Result<Answer, Failure> {
        let url = format!("{}/v1/{path}", self.command_url);
        self.send(Method::POST, &url, token, None, Some(body)).await
    }

    /// Asks a query, as of a position if one is given.
    pub(crate) async fn query(
        &self,
        path: &str,
        tidemark: Option<&str>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}/v1/{path}", self.query_url);
        self.send(Method::GET, &url, "", tidemark, None).await
    }

    async fn send(
        &self,
        method: Method,
        url: &str,
        token: &str,
        tidemark: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut request = self.http.request(method, url);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        if let Some(tidemark) = tidemark {
            request = request.header("tidemark", tidemark);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status();
        let header = response
            .headers()
            .get("tidemark")
            .and_then(|value| value.to_str().ok());
        let tidemark = header.unwrap_or_default().to_owned();
        let body: Value = response.json().await?;
        if status.is_success() {
            return Ok(Answer { body, tidemark });
        }
        let member = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        Err(Failure {
            code: member("code"),
            detail: member("detail"),
        })
    }
}

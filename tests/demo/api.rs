//! A client of the public API.

use std::fmt;

use reqwest::{Client, Method};
use serde_json::Value;

/// A request that did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The `code` of the problem; empty if there was no answer.
    pub(crate) code: String,
    detail: String,
}

impl Failure {
    /// A failure without an answer.
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

/// An answer that is a success.
pub(crate) struct Answer {
    pub(crate) body: Value,
    /// The header `Tidemark`, which names the position that the answer reflects.
    pub(crate) tidemark: String,
}

impl Answer {
    /// The `id` of the document.
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// The command API and the query API.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    command_url: String,
    query_url: String,
}

impl Api {
    /// The APIs at these URLs.
    pub(crate) fn new(command_url: &str, query_url: &str) -> Self {
        Self {
            http: Client::new(),
            command_url: command_url.to_owned(),
            query_url: query_url.to_owned(),
        }
    }

    /// Sends a command. `path` has no leading `/v1/`; `token` is empty for an anonymous caller.
    pub(crate) async fn command(
        &self,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}/v1/{path}", self.command_url);
        self.send(Method::POST, &url, token, None, body).await
    }

    /// Sends a query, whose answer is at least as fresh as a `Tidemark` if one is given.
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

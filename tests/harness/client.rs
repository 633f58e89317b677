//! A client of both APIs, and the answers that it gets, with the checks that tests make of them.

use std::net::IpAddr;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::description::assert_described;

/// A client of both APIs, with the headers that it sends on every request. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    command_url: String,
    query_url: String,
    headers: HeaderMap,
}

impl Client {
    /// Makes a client without a credential.
    #[must_use]
    pub fn anonymous(command_url: &str, query_url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self {
            http,
            command_url: command_url.to_owned(),
            query_url: query_url.to_owned(),
            headers: HeaderMap::new(),
        }
    }

    /// Returns a client that also sends this header, in place of one of that name.
    #[must_use]
    pub fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        client.headers.insert(name, value);
        client
    }

    /// Returns a client that does not send this header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.remove(name);
        client
    }

    /// Returns a client with an access token.
    #[must_use]
    pub fn with_token(&self, access_token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), format!("Bearer {access_token}"))
    }

    /// Returns a client that sends this `Idempotency-Key`.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// Returns a client that expects this version (`If-Match`).
    #[must_use]
    pub fn if_match(&self, version: i64) -> Self {
        self.with("if-match", format!("\"{version}\""))
    }

    /// Returns a client that asks for answers that reflect at least this position (`Tidemark`).
    #[must_use]
    pub fn with_tidemark(&self, tidemark: &str) -> Self {
        self.with("tidemark", tidemark)
    }

    /// Returns a client that sends its commands to another process.
    #[must_use]
    pub fn via_command_api(&self, command_url: &str) -> Self {
        Self {
            command_url: command_url.to_owned(),
            ..self.clone()
        }
    }

    /// Returns a client that sends its queries to another process.
    #[must_use]
    pub fn via_query_api(&self, query_url: &str) -> Self {
        Self {
            query_url: query_url.to_owned(),
            ..self.clone()
        }
    }

    /// Returns a client that connects from this address of the machine, over connections of its own.
    #[must_use]
    pub fn from_address(&self, address: IpAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().local_address(address);
        Self {
            http: http.build().unwrap(),
            ..self.clone()
        }
    }

    /// Sends a command.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        Answer::to(self.command(Method::POST, path).json(body)).await
    }

    /// Sends a command that has no body.
    pub async fn post_empty(&self, path: &str) -> Answer {
        Answer::to(self.command(Method::POST, path)).await
    }

    /// Sends a command of the method DELETE.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.command(Method::DELETE, path)).await
    }

    /// Sends a query.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.query(path)).await
    }

    /// Begins a request to the command API, for tests that need an unusual one.
    pub fn command(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("{}{path}", self.command_url))
    }

    /// Begins a request to the query API, for tests that need an unusual one.
    pub fn query(&self, path: &str) -> RequestBuilder {
        assert!(!self.query_url.is_empty(), "this App has no query API");
        self.request(Method::GET, &format!("{}{path}", self.query_url))
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url).headers(self.headers.clone())
    }
}

/// An answer whose body has been read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers of the response.
    pub headers: HeaderMap,
    /// The body as JSON; null if it is not JSON.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Sends the request and reads the answer, which must be described.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::try_to(request).await.unwrap()
    }

    /// Sends the request and reads the answer, if the connection lasts so long.
    ///
    /// # Errors
    /// When the connection ends before the answer has come. What became of the request is unknown then.
    pub async fn try_to(request: RequestBuilder) -> reqwest::Result<Self> {
        let (client, request) = request.build_split();
        let request = request?;
        let (method, url) = (request.method().clone(), request.url().clone());
        let answer = Self::read(client.execute(request).await?).await?;
        assert_described(&method, url.path(), &answer);
        Ok(answer)
    }

    /// Reads a response to its end.
    pub async fn of(response: Response) -> Self {
        Self::read(response).await.unwrap()
    }

    async fn read(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let answer = Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        };
        answer.assert_not_told_to_retry();
        Ok(answer)
    }

    /// Fails the test if a client is told to try again what would fail again. Only 503 may say when to try again.
    fn assert_not_told_to_retry(&self) {
        let may_pass = self.status == 503;
        assert!(
            may_pass || self.header("retry-after").is_empty(),
            "{self:?}"
        );
    }

    /// Fails the test unless the request succeeded.
    #[track_caller]
    #[expect(
        clippy::must_use_candidate,
        clippy::return_self_not_must_use,
        reason = "calling it for the check alone is fine"
    )]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }

    /// Whether the request succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The value of a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The `id` in the body.
    #[track_caller]
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// The `version` in the body.
    #[track_caller]
    #[must_use]
    pub fn version(&self) -> i64 {
        self.body["version"].as_i64().unwrap()
    }

    /// The `Tidemark` header. Fails the test if there is none.
    #[track_caller]
    #[must_use]
    pub fn tidemark(&self) -> &str {
        let tidemark = self.header("tidemark");
        assert!(!tidemark.is_empty(), "{self:?}");
        tidemark
    }

    /// The position that the `Tidemark` header names. Its form is no promise to clients, but tests may
    /// rely on it.
    #[track_caller]
    #[must_use]
    pub fn position(&self) -> i64 {
        let (_, position) = self.tidemark().split_once('.').unwrap();
        position.parse().unwrap()
    }

    /// The code of the problem; empty if the answer is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// What the problem says is wrong; empty if the answer is none.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.body["detail"].as_str().unwrap_or_default()
    }

    /// Fails the test unless the answer is this problem, in the form that every problem has.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        self.any_problem();
    }

    /// Fails the test unless the answer is a problem in the form that every problem has, and tells no
    /// internals.
    #[track_caller]
    pub fn any_problem(&self) {
        let media_type = self.header(CONTENT_TYPE.as_str());
        assert_eq!(media_type, "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status, "{self:?}");
        assert_eq!(
            self.body["type"],
            format!("/problems/{}", self.code()),
            "{self:?}"
        );
        for member in ["title", "detail", "instance"] {
            assert!(self.body[member].is_string(), "no {member}: {self:?}");
        }
        assert!(is_sentence(self.detail()), "{self:?}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        assert!(!self.header("x-correlation-id").is_empty(), "{self:?}");
        let says_when = !self.header("retry-after").is_empty();
        assert_eq!(says_when, self.status == 503, "{self:?}");
        for internal in ["sqlx", "panicked", ".rs:", "select ", "stack backtrace"] {
            assert!(!self.text.contains(internal), "{self:?}");
        }
    }

    /// The JSON pointers and parameters that the problem names.
    #[must_use]
    pub fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array();
        errors
            .into_iter()
            .flatten()
            .filter_map(|error| {
                error["pointer"]
                    .as_str()
                    .or_else(|| error["parameter"].as_str())
            })
            .collect()
    }
}

/// Whether a text begins like a sentence, or with a name between backticks, and ends with a stop.
#[must_use]
pub fn is_sentence(text: &str) -> bool {
    let begins = text.starts_with(|it: char| it == '`' || it.is_uppercase());
    begins && text.ends_with(['.', '!', '?'])
}

//! Both APIs as a client sees them: requests with a credential, answers that can be asked for what a
//! test expects.

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// Somebody who sends requests; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    command_url: String,
    query_url: String,
    headers: HeaderMap,
}

impl Client {
    /// Nobody in particular.
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

    /// The same with a header on every request, in place of one of that name.
    #[must_use]
    pub fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        client.headers.insert(name, value);
        client
    }

    /// The same, without a header.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let mut client = self.clone();
        client.headers.remove(name);
        client
    }

    /// The same with an access token.
    #[must_use]
    pub fn with_token(&self, access_token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), format!("Bearer {access_token}"))
    }

    /// The same with an `Idempotency-Key`.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// The same, expecting a version.
    #[must_use]
    pub fn if_match(&self, version: i64) -> Self {
        self.with("if-match", format!("\"{version}\""))
    }

    /// The same, asking for answers that reflect this position.
    #[must_use]
    pub fn with_tidemark(&self, tidemark: &str) -> Self {
        self.with("tidemark", tidemark)
    }

    /// The same, sending commands to another process.
    #[must_use]
    pub fn via_command_api(&self, command_url: &str) -> Self {
        Self {
            command_url: command_url.to_owned(),
            ..self.clone()
        }
    }

    /// The same, asking another process.
    #[must_use]
    pub fn via_query_api(&self, query_url: &str) -> Self {
        Self {
            query_url: query_url.to_owned(),
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

    /// Sends a command that takes something away.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.command(Method::DELETE, path)).await
    }

    /// Asks a query.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.query(path)).await
    }

    /// A request to the command API, for what the others cannot do.
    pub fn command(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, &format!("{}{path}", self.command_url))
    }

    /// A request to the query API, for what the others cannot do.
    pub fn query(&self, path: &str) -> RequestBuilder {
        assert!(!self.query_url.is_empty(), "this App has no query API");
        self.request(Method::GET, &format!("{}{path}", self.query_url))
    }

    fn request(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url).headers(self.headers.clone())
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its document; null if it is not JSON.
    pub body: Value,
    /// Its bytes.
    pub text: String,
}

impl Answer {
    /// To this request.
    pub async fn to(request: RequestBuilder) -> Self {
        Self::of(request.send().await.unwrap()).await
    }

    /// To this request, unless the connection ended before it came.
    ///
    /// # Errors
    /// Then nobody knows what became of the request.
    pub async fn try_to(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        Self::read(response).await
    }

    /// All of this response.
    pub async fn of(response: Response) -> Self {
        Self::read(response).await.unwrap()
    }

    async fn read(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        Ok(Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        })
    }

    /// Goes on only if it succeeded.
    #[track_caller]
    #[expect(
        clippy::must_use_candidate,
        clippy::return_self_not_must_use,
        reason = "to fail otherwise is a use"
    )]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{self:?}");
        self
    }

    /// Whether it succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The `id` of its document.
    #[track_caller]
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }

    /// The `version` of its document.
    #[track_caller]
    #[must_use]
    pub fn version(&self) -> i64 {
        self.body["version"].as_i64().unwrap()
    }

    /// Its `Tidemark`.
    #[track_caller]
    #[must_use]
    pub fn tidemark(&self) -> &str {
        let tidemark = self.header("tidemark");
        assert!(!tidemark.is_empty(), "{self:?}");
        tidemark
    }

    /// The position that its `Tidemark` names. Clients must not look; tests may.
    #[track_caller]
    #[must_use]
    pub fn position(&self) -> i64 {
        let (_, position) = self.tidemark().split_once('.').unwrap();
        position.parse().unwrap()
    }

    /// The code of its problem; empty if it is none.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Fails unless it is this problem, in the form that every problem has.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{self:?}");
        self.any_problem();
    }

    /// Fails unless it is a problem in the form that every problem has, and tells no internals.
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
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        assert!(!self.header("x-correlation-id").is_empty(), "{self:?}");
        for internal in ["sqlx", "panicked", ".rs:", "select ", "stack backtrace"] {
            assert!(!self.text.contains(internal), "{self:?}");
        }
    }

    /// The places in the request that its problem points at.
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

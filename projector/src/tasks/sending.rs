//! One call as it is sent: the request of the owner, signed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, http};
use tidemark_events::tasks::task;
use tidemark_events::{Timestamp, UserId};
use url::{Position, Url};

use super::attempt::Attempt;
use super::http_client::HttpClient;
use super::signature::sign;

/// What is sent.
pub(super) struct Sending {
    /// The id of the run.
    pub(super) id: String,
    pub(super) owner_id: UserId,
    pub(super) method: task::Method,
    pub(super) url: Url,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// What it is signed with, the newest first.
    pub(super) secrets: Vec<String>,
    pub(super) now: Timestamp,
}

impl Sending {
    /// Sends it, and returns what came of it within so long; none if it is to be sent later.
    pub(super) async fn send(
        self,
        client: &HttpClient,
        time_limit: Duration,
    ) -> Result<Option<Attempt>, String> {
        let request = self.request()?;
        let begun = Instant::now();
        let call = client.call(&self.url, self.owner_id, request, time_limit);
        let attempt = Attempt::of(call.await, self.now);
        let ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
        Ok(attempt.map(|attempt| Attempt { ms, ..attempt }))
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, String> {
        let second = self.now.timestamp();
        let secrets = self.secrets.iter();
        let signed = secrets.map(|it| sign(it, &self.id, second, &self.body));
        let signatures: Option<Vec<_>> = signed.collect();
        let signatures = signatures.ok_or("the secret is none")?.join(" ");
        let request = self.signed(second, signatures);
        request.map_err(|error| error.to_string())
    }

    fn signed(&self, second: i64, signatures: String) -> http::Result<Request<Full<Bytes>>> {
        let path = &self.url[Position::BeforePath..Position::AfterQuery];
        let request = Request::builder().method(method(self.method)).uri(path);
        let mut request = request.body(Full::from(self.body.clone()))?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        let this = concat!("Tidemark/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(this));
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name)?;
            headers.insert(name, HeaderValue::try_from(value)?);
        }
        let server = &self.url[Position::BeforeHost..Position::AfterPort];
        headers.insert(HOST, HeaderValue::try_from(server)?);
        headers.insert("webhook-id", HeaderValue::try_from(&self.id)?);
        headers.insert("webhook-timestamp", second.into());
        headers.insert("webhook-signature", HeaderValue::try_from(signatures)?);
        Ok(request)
    }
}

const fn method(method: task::Method) -> Method {
    match method {
        task::Method::Get => Method::GET,
        task::Method::Post => Method::POST,
        task::Method::Put => Method::PUT,
        task::Method::Delete => Method::DELETE,
    }
}

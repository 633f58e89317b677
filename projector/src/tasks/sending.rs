//! One call as it is sent: the request of the owner, signed.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Url};
use tidemark_events::Timestamp;
use tidemark_events::tasks::task;

use super::attempt::{Attempt, answered};
use super::signature::sign;

/// What is sent.
pub(super) struct Sending {
    /// The id of the run.
    pub(super) id: String,
    pub(super) method: task::Method,
    pub(super) url: Url,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
    /// What it is signed with, the newest first.
    pub(super) secrets: Vec<String>,
    pub(super) now: Timestamp,
}

impl Sending {
    /// Sends it, and returns what came of it within so long.
    pub(super) async fn send(
        self,
        client: &Client,
        time_limit: Duration,
    ) -> Result<Attempt, String> {
        let second = self.now.timestamp();
        let secrets = self.secrets.iter();
        let signed = secrets.map(|it| sign(it, &self.id, second, &self.body));
        let signatures: Option<Vec<_>> = signed.collect();
        let signatures = signatures.ok_or("the secret is none")?.join(" ");
        let mut request = client.request(method(self.method), self.url);
        request = request.timeout(time_limit);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request = request
            .header("webhook-id", self.id)
            .header("webhook-timestamp", second)
            .header("webhook-signature", signatures);
        if !self.body.is_empty() {
            request = request.body(self.body);
        }
        let begun = Instant::now();
        let attempt = match request.send().await {
            Ok(response) => answered(response, self.now).await,
            Err(error) => Attempt::failed(&error),
        };
        let ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
        Ok(Attempt { ms, ..attempt })
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

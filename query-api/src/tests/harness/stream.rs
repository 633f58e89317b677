//! The stream of server-sent events of one client.

use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::Value;
use tokio::time::timeout;

use super::Api;

/// Longer than any update takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// A live update that is open.
pub(crate) struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    /// Opens the live update at this path with these headers.
    pub(crate) async fn open(api: &Api, path: &str, headers: &[(&str, &str)]) -> Self {
        let response = api.send(path, headers).await;
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    /// The headers of the answer.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The id and the document of the next update; `None` at the end of the stream.
    pub(crate) async fn state(&mut self) -> Option<(String, Value)> {
        loop {
            let event = self.event().await?;
            if field(&event, "event: ") == "state" {
                let document = serde_json::from_str(field(&event, "data: ")).unwrap();
                return Some((field(&event, "id: ").to_owned(), document));
            }
        }
    }

    /// The lines of the next event; `None` at the end of the stream.
    pub(crate) async fn event(&mut self) -> Option<String> {
        while !self.text.contains("\n\n") {
            let chunk = timeout(DEADLINE, self.response.chunk())
                .await
                .unwrap()
                .unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let (event, rest) = self.text.split_once("\n\n").unwrap();
        let event = event.to_owned();
        self.text = rest.to_owned();
        Some(event)
    }
}

/// What stands in an event after the name of the field; empty if it has no such field.
pub(crate) fn field<'a>(event: &'a str, name: &str) -> &'a str {
    let mut lines = event.lines();
    lines
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_default()
}

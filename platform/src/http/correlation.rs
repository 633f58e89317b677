//! What links a request to the request that caused it and to those that it causes: the correlation id
//! and the W3C trace context.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

use super::Problem;
use crate::ids::new_id;

pub(crate) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The ids by which logs, events and traces of several processes are matched with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correlation {
    /// The client's `X-Correlation-Id` if it is a UUID, else a new id. Every response carries it.
    pub correlation_id: Uuid,
    /// The span of this request if it is traced, else the client's `traceparent`, if it sent a well-formed one.
    pub traceparent: Option<String>,
}

impl Correlation {
    /// Reads the headers of a request. A malformed header counts as one that was not sent, and so do two that contradict each other.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?;
            values.next().is_none().then(|| value.to_str().ok())?
        };
        Self {
            correlation_id: text(CORRELATION_ID)
                .and_then(|id| Uuid::try_parse(id).ok())
                .unwrap_or_else(new_id),
            traceparent: text(TRACEPARENT)
                .filter(|value| is_traceparent(value))
                .map(str::to_owned),
        }
    }

    /// The headers that hand the ids on to another process.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(id) = HeaderValue::try_from(self.correlation_id.to_string()) {
            headers.insert(CORRELATION_ID, id);
        }
        if let Some(Ok(parent)) = self.traceparent.as_deref().map(HeaderValue::from_str) {
            headers.insert(TRACEPARENT, parent);
        }
        headers
    }
}

/// Whether `value` is `<version>-<trace id>-<parent id>-<flags>` in lower-case hex, with neither id all
/// zeros and a version other than `ff`, which the standard forbids.
fn is_traceparent(value: &str) -> bool {
    let is_hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |part: &str| part.bytes().any(|b| b != b'0');
    match value.split('-').collect::<Vec<_>>()[..] {
        [version, trace, parent, flags] => {
            [version, trace, parent, flags].map(str::len) == [2, 32, 16, 2]
                && [version, trace, parent, flags].into_iter().all(is_hex)
                && version != "ff"
                && is_id(trace)
                && is_id(parent)
        }
        _ => false,
    }
}

impl<S: Sync> FromRequestParts<S> for Correlation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts
            .extensions
            .get()
            .cloned()
            .unwrap_or_else(|| Self::from_headers(&parts.headers)))
    }
}

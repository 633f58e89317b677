//! Which representation of a document a client is sent: compressed or not, or none if the client has it
//! already.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::http::{EntityTags, elements, weakened, weighted};

/// The one coding that we compress with.
const GZIP: &str = "gzip";

/// Leaves of `Accept-Encoding` what is chosen. If the client accepts neither of our codings it is sent the
/// document as it is: the layer that compresses would answer 406 after the handler has run, which for a
/// command is too late.
pub(super) fn choose_coding(headers: &mut HeaderMap) {
    let weight = |coding: &str| {
        let mut codings = elements(headers, ACCEPT_ENCODING).map(weighted);
        let found = codings.find(|(name, _)| name.eq_ignore_ascii_case(coding));
        found.map(|(_, weight)| weight)
    };
    let gzip = weight(GZIP).or_else(|| weight("*")).unwrap_or(0.0);
    if gzip > 0.0 && gzip >= weight("identity").unwrap_or(0.0) {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(GZIP));
    } else {
        headers.remove(ACCEPT_ENCODING);
    }
}

/// The tags of the representations that the client has, as far as it asks for a document. A malformed
/// header names none, so that the client is sent the document.
pub(super) struct KnownTags(Option<EntityTags>);

impl KnownTags {
    pub(super) fn of(request: &Request) -> Self {
        let asks = matches!(*request.method(), Method::GET | Method::HEAD);
        let headers = request.headers();
        Self(
            asks.then(|| EntityTags::of(headers, &IF_NONE_MATCH))
                .flatten(),
        )
    }

    /// Gives a compressed document a weak tag, since the plain one has the same version and other bytes.
    /// Then replaces a document that the client has by 304.
    pub(super) fn apply(&self, response: &mut Response) {
        let Some(tag) = response.headers().get(ETAG) else {
            return;
        };
        let is_known = self.0.as_ref().is_some_and(|known| known.include(tag));
        if response.headers().contains_key(CONTENT_ENCODING) {
            let tag = weakened(tag);
            response.headers_mut().insert(ETAG, tag);
        }
        if is_known && response.status() == StatusCode::OK {
            for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
                response.headers_mut().remove(name);
            }
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
        }
    }
}

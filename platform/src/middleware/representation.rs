//! Which representation of a document a client is sent: compressed or not, or none if the client has it
//! already, or wants another.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::http;
use crate::http::{EntityTags, Problem, elements, weakened, weighted};

/// The one coding that we compress with.
const GZIP: &str = "gzip";

/// Leaves of `Accept-Encoding` what is chosen. If the client accepts neither of our codings it is sent the
/// document as it is: the layer that compresses would answer 406 after the handler has run, which for a
/// command is too late.
pub(super) fn choose_coding(headers: &mut HeaderMap) {
    let weight = |coding: &str| {
        let mut codings = elements(headers, ACCEPT_ENCODING).filter_map(weighted);
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

/// What a client that asks for a document says of its tag (RFC 9110, section 13.1). A command is about a version
/// instead, which only its decision knows.
pub(super) struct Conditions {
    /// The document must have one of these tags, if there are some. A malformed header is refused, since the client
    /// would be sent what it may not want.
    wanted: Result<Option<EntityTags>, Problem>,
    /// The client has the representations with these tags. A malformed header names none, so that the client is
    /// sent the document.
    known: Option<EntityTags>,
}

impl Conditions {
    pub(super) fn of(request: &Request) -> Self {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let (wanted, known) = (Ok(None), None);
            return Self { wanted, known };
        }
        Self {
            wanted: http::if_match(request.headers()),
            known: EntityTags::of(request.headers(), &IF_NONE_MATCH),
        }
    }

    /// Replaces a document that the client has by 304. Gives a compressed one a weak tag, since the plain one has the
    /// same version and other bytes.
    ///
    /// # Errors
    /// The problem to answer if the document is not as the client wants it.
    pub(super) fn apply(self, response: &mut Response) -> Result<(), Problem> {
        let is_document = response.status() == StatusCode::OK;
        let is_part = response.status() == StatusCode::PARTIAL_CONTENT;
        let tag = response.headers().get(ETAG).cloned();
        if (is_document || is_part)
            && let Err(problem) = self.check(tag.as_ref())
        {
            leave_document_out(response.headers_mut());
            return Err(problem);
        }
        let Some(tag) = tag else {
            return Ok(());
        };
        if response.headers().contains_key(CONTENT_ENCODING) {
            response.headers_mut().insert(ETAG, weakened(&tag));
        }
        if is_document && self.known.is_some_and(|known| known.include(&tag)) {
            for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
                response.headers_mut().remove(name);
            }
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = Body::empty();
        }
        Ok(())
    }

    /// Checks the tag of the plain document, also where only a part of it is sent: that comes before `Range` (RFC 9110, section 13.2.2). What has no tag is as wanted only if anything is.
    fn check(&self, tag: Option<&HeaderValue>) -> Result<(), Problem> {
        let is_wanted = match self.wanted.as_ref().map_err(Problem::clone)? {
            None | Some(EntityTags::Any) => true,
            Some(listed) => tag.is_some_and(|tag| listed.include_strong(tag)),
        };
        let detail = "The document is at no version that If-Match names.";
        is_wanted
            .then_some(())
            .ok_or_else(|| Problem::precondition_failed(detail))
    }
}

/// Removes what an answer says of its document, such as for how long it may be kept. What it says to browsers of other origins stays.
fn leave_document_out(headers: &mut HeaderMap) {
    let is_of_document =
        |name: &HeaderName| *name != VARY && !name.as_str().starts_with("access-control-");
    let of_document = headers.keys().filter(|name| is_of_document(name));
    let of_document: Vec<_> = of_document.cloned().collect();
    for name in of_document {
        headers.remove(name);
    }
}

//! Refusals and failures as `application/problem+json` (RFC 9457). Clients may rely on `code`; `detail` is
//! prose for people. What caused a failure goes to the log and never to the client.

mod document;

pub(crate) use document::MEDIA_TYPE;
pub use document::{FieldError, ProblemDocument};

use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal or a failure, as a handler or an extractor returns it.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    /// What problems with this code mean, and what a client can do, where it is declared.
    explanation: (&'static str, &'static str),
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: HeaderMap,
    cause: Option<String>,
}

impl Problem {
    /// A problem of any kind. `code` is in `snake_case`, and its meaning must never change. `detail` is made a whole
    /// sentence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            explanation: ("", ""),
            detail: sentence(detail.into()),
            errors: Vec::new(),
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 400: the request is malformed.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: the request carries no credential or one of a scheme that is not taken, or the body holds one that is not
    /// valid. The challenge names no error, since the client has not used the scheme (RFC 6750, section 3.1).
    pub fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        let challenge = HeaderValue::from_static("Bearer");
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(WWW_AUTHENTICATE, challenge)
    }

    /// 401: the request carries a credential that is not valid, or no longer valid.
    pub fn invalid_token(code: &'static str, detail: impl Into<String>) -> Self {
        let challenge = HeaderValue::from_static(r#"Bearer error="invalid_token""#);
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(WWW_AUTHENTICATE, challenge)
    }

    /// 403: the principal is known, but may not do this.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 403: the credential is valid, but of a kind that does not give access to this.
    pub fn insufficient_scope(detail: impl Into<String>) -> Self {
        Self::forbidden("insufficient_scope", detail).header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer error="insufficient_scope""#),
        )
    }

    /// 404: the resource does not exist, or this principal may not know that it does.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail).explained(
            "There is nothing at this path, or you may not see it.",
            "Check the path, and the id in it. What was created a moment ago is found by a query that carries \
             the `Tidemark` of the command.",
        )
    }

    /// 409: the present state does not allow the request.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: the stream is at another version than `If-Match` expects.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            detail,
        )
    }

    /// 422: the request is well-formed, but fields of it hold unacceptable values.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail =
            "The request is well-formed, but some of its values are not acceptable: see errors.";
        Self::unprocessable("invalid", detail).errors(errors)
    }

    /// 422 with a code other than `invalid`.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429: the client has more at once than its share.
    pub fn too_many_requests(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail)
    }

    /// 503: the client should try again after `retry_after_s` seconds.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        let retry_after = HeaderValue::from(retry_after_s);
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).header(RETRY_AFTER, retry_after)
    }

    /// 500: a failure on our side. The cause is logged with the request and not sent.
    pub fn internal(cause: impl Display) -> Self {
        let detail =
            "Something went wrong on our side. The instance names this occurrence in our log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).caused_by(cause)
    }

    /// The problem for a response that has only a status, such as the router's own 404 and 405.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status.as_u16() {
            404 => (
                "not_found",
                "There is nothing at this path of this API. Queries are answered by the query API, and \
                 commands by the command API.",
            ),
            405 => (
                "method_not_allowed",
                "This path of this API does not support this method: see Allow. Queries are answered by \
                 the query API, and commands by the command API.",
            ),
            400..500 => ("refused", "The request was refused."),
            _ => ("internal", "Something went wrong on our side."),
        };
        Self::new(status, code, detail)
    }

    /// Says for the catalogue of problems, in whole sentences, what every problem with this code means, and what a
    /// client can do.
    #[must_use]
    pub fn explained(mut self, meaning: &'static str, what_to_do: &'static str) -> Self {
        self.0.explanation = (meaning, what_to_do);
        self
    }

    /// Sets what is wrong with each field.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a member to the document. A value that cannot be written as JSON is left out.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Sets a header of the response.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Sets the cause, which is logged and not sent.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Display) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code of the kind of problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is wrong, in prose.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What problems with this code mean, and what a client can do.
    pub(crate) fn explanation(&self) -> (&'static str, &'static str) {
        self.0.explanation
    }

    /// The cause, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Replaces status and body of `response` by those of this problem. Its other headers stay.
    pub(crate) fn fill(&self, response: &mut Response, instance: Option<String>) {
        let document = ProblemDocument::new(self, instance);
        // Serialising strings, numbers and JSON values never fails.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        *response.status_mut() = self.0.status;
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.extend(self.0.headers.clone());
    }
}

/// The text with its first letter in upper case, and with a stop.
fn sentence(text: String) -> String {
    let mut letters = text.chars();
    let Some(first) = letters.next() else {
        return text;
    };
    let stop = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    let rest = letters.as_str();
    format!("{}{rest}{stop}", first.to_uppercase())
}

impl IntoResponse for Problem {
    /// The response carries the problem as an extension as well, from which the middleware logs it and adds
    /// the instance.
    fn into_response(self) -> Response {
        let mut response = Response::default();
        self.fill(&mut response, None);
        response.extensions_mut().insert(self);
        response
    }
}

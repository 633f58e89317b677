//! Refusals and failures as `application/problem+json` (RFC 9457). `code` is the contract; `detail` is
//! prose for people. What caused a failure goes to the log and never to the client.

use std::collections::BTreeMap;
use std::fmt::Display;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");

/// An answer that is not the one asked for.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: HeaderMap,
    cause: Option<String>,
}

/// One thing wrong with the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer into the body; empty for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/amount/minor_units")]
    pointer: Option<String>,
    /// Name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is wrong.
    detail: String,
}

impl FieldError {
    /// Something wrong in the body.
    pub fn pointer(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    /// Something wrong with a query parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument<'a> {
    /// URI reference that names the kind of problem.
    #[schema(example = "/problems/not_found")]
    r#type: String,
    /// The kind of problem in words.
    #[schema(example = "Not found")]
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// Stable name of the kind of problem: what programs should look at.
    #[schema(example = "not_found")]
    code: &'a str,
    /// What is wrong with this request.
    detail: &'a str,
    /// This occurrence: the correlation id, by which the log knows it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// What is wrong, place by place.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// More, depending on the code.
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl Problem {
    /// A problem. `code` is in `snake_case` and never changes its meaning.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 400: the request is not well-formed.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: nobody is logged in here, or the token is no good.
    pub fn unauthorized(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail).header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer error="invalid_token""#),
        )
    }

    /// 403: this principal may not.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 403: the token is good but carries no right to this.
    pub fn insufficient_scope(detail: impl Into<String>) -> Self {
        Self::forbidden("insufficient_scope", detail).header(
            WWW_AUTHENTICATE,
            HeaderValue::from_static(r#"Bearer error="insufficient_scope""#),
        )
    }

    /// 404: there is no such thing, or not for this principal.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 409: not in the state that things are in.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 412: the stream is not at the version of `If-Match`.
    pub fn precondition_failed(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition_failed",
            detail,
        )
    }

    /// 422: well-formed, but fields hold what they must not.
    #[must_use]
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = "The request is well-formed, but not all of it is acceptable: see errors.";
        Self::unprocessable("invalid", detail).errors(errors)
    }

    /// 422 with a code of its own.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 503: not now; try again after `retry_after_s`.
    pub fn unavailable(code: &'static str, detail: impl Into<String>, retry_after_s: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(retry_after_s)
    }

    /// 500. The cause is logged with the request and not told.
    pub fn internal(cause: impl Display) -> Self {
        let detail = "Something went wrong here. The instance names this occurrence in our log.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).caused_by(cause)
    }

    /// The problem that a bare status stands for, such as the router's own 404 and 405.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, detail) = match status.as_u16() {
            404 => ("not_found", "There is nothing at this path."),
            405 => (
                "method_not_allowed",
                "This path does not answer to this method: see Allow.",
            ),
            400..500 => ("refused", "The request was refused."),
            _ => ("internal", "Something went wrong here."),
        };
        Self::new(status, code, detail)
    }

    /// Adds what is wrong, place by place.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.0.errors = errors;
        self
    }

    /// Adds a member of its own. A value that cannot be JSON is left out.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.0.members.insert(member.to_owned(), value);
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Notes for the log what is behind this.
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

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is behind it, for the log.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// Makes `response` carry this problem, whatever it carried; its other headers stay.
    pub(super) fn fill(&self, response: &mut Response, instance: Option<String>) {
        let inner = &*self.0;
        let document = ProblemDocument {
            r#type: format!("/problems/{}", inner.code),
            title: title(inner.code),
            status: inner.status.as_u16(),
            code: inner.code,
            detail: &inner.detail,
            instance,
            errors: &inner.errors,
            members: &inner.members,
        };
        // Strings, numbers and JSON values always serialise.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        *response.status_mut() = inner.status;
        *response.body_mut() = Body::from(body);
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, MEDIA_TYPE);
        headers.extend(inner.headers.clone());
    }
}

/// `not_found` → `Not found`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

impl IntoResponse for Problem {
    /// The problem travels along as an extension, so that the layers can log it and name the occurrence.
    fn into_response(self) -> Response {
        let mut response = Response::default();
        self.fill(&mut response, None);
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .build();
        let response = ResponseBuilder::new()
            .description("A problem: look at its `code`")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), response.into())])
    }
}

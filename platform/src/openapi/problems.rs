//! The problems that an operation can answer: those of every request, those that come with what the operation
//! takes, and those that its route names. A problem is described by an example of it, under its code.

use std::collections::BTreeMap;

use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::http::{PROBLEM_MEDIA_TYPE, Problem, ProblemDocument};

/// Status, code and meaning of a problem.
pub(super) type Kind = (u16, &'static str, &'static str);

/// What may be wrong with any request.
pub(super) const OF_EVERY_REQUEST: [Kind; 18] = [
    (
        400,
        "repeated_header",
        "A header is sent more than once that may be sent only once.",
    ),
    (400, "malformed_url", "The URL holds the character U+0000."),
    (
        400,
        "secret_in_url",
        "The URL holds a secret, which belongs in a header or in the body.",
    ),
    (
        400,
        "unreadable_body",
        "The connection broke off before the body was complete.",
    ),
    (
        400,
        "invalid_host",
        "The request must have exactly one valid Host.",
    ),
    (
        400,
        "invalid_if_match",
        "If-Match must be a version as an ETag gave it.",
    ),
    (
        400,
        "unexpected_if_none_match",
        "A command takes no If-None-Match. If-Match names the version that it expects.",
    ),
    (
        406,
        "not_acceptable",
        "The client accepts none of the media types that this path answers.",
    ),
    (408, "request_timeout", "The body did not arrive in time."),
    (
        413,
        "body_too_large",
        "The body is larger than the limit of this path.",
    ),
    (414, "url_too_long", "The URL is longer than the limit."),
    (
        422,
        "invalid",
        "Some values of the request are not acceptable: see errors.",
    ),
    (
        429,
        "too_many_requests",
        "Too many requests of this client are being handled, or are waiting, at the moment.",
    ),
    (
        431,
        "headers_too_large",
        "There are too many headers, or they are too large.",
    ),
    (
        500,
        "internal",
        "Something went wrong on our side. The instance names this occurrence in our log.",
    ),
    (
        501,
        "unsupported_transfer_coding",
        "The body has a transfer coding other than chunked.",
    ),
    (
        503,
        "overloaded",
        "Too many requests are being handled at the moment.",
    ),
    (
        503,
        "timeout",
        "The answer was not ready in time. A command may have taken effect or not: send it again with the same Idempotency-Key.",
    ),
];

/// What may be wrong with a path that has parameters.
pub(super) const OF_PATHS: [Kind; 1] = [(
    400,
    "invalid_path",
    "A parameter of the path does not have the right form.",
)];

/// What may be wrong with a query string.
pub(super) const OF_QUERIES: [Kind; 1] = [(
    400,
    "repeated_parameter",
    "A parameter is sent more than once.",
)];

/// What may be wrong with the cursor of a page.
pub(super) const OF_CURSORS: [Kind; 1] = [(
    400,
    "invalid_cursor",
    "The cursor does not come from a page of this list. Start again without one.",
)];

/// What may be wrong with a JSON body.
pub(super) const OF_BODIES: [Kind; 2] = [
    (400, "malformed_json", "The body is not JSON."),
    (
        415,
        "unsupported_media_type",
        "The body must be JSON, sent with Content-Type: application/json.",
    ),
];

/// What is wrong with a body where none is taken.
pub(super) const OF_UNEXPECTED_BODIES: [Kind; 1] =
    [(400, "unexpected_body", "This path takes no body.")];

/// What may be wrong with a credential.
pub(super) const OF_CREDENTIALS: [Kind; 2] = [
    (
        401,
        "invalid_token",
        "The credential is not valid, or no longer valid.",
    ),
    (
        403,
        "insufficient_scope",
        "The credential is valid, but of a kind that may not do this.",
    ),
];

/// What else may be wrong where a credential is required.
pub(super) const OF_REQUIRED_CREDENTIALS: [Kind; 1] = [(
    401,
    "unauthenticated",
    "Log in, and send the access token with this request.",
)];

/// What is answered where no operation is.
pub(super) const OF_NO_OPERATION: [Kind; 4] = [
    (
        404,
        "not_found",
        "There is nothing at this path, or you may not see it.",
    ),
    (
        405,
        "method_not_allowed",
        "This path does not support this method: see Allow.",
    ),
    (400, "refused", "The request was refused."),
    (
        503,
        "not_ready",
        "This process is not ready to handle requests.",
    ),
];

/// A problem by its code, as the description has it.
pub(super) struct Described {
    pub(super) code: String,
    pub(super) status: u16,
    pub(super) example: Example,
}

impl Described {
    pub(super) fn new(problem: &Problem) -> Self {
        let document = ProblemDocument::example(problem);
        let title = document["title"].as_str().unwrap_or_default();
        Self {
            code: problem.code().to_owned(),
            status: problem.status().as_u16(),
            example: ExampleBuilder::new()
                .summary(title)
                .value(Some(document))
                .build(),
        }
    }

    pub(super) fn of_kind(&(status, code, meaning): &Kind) -> Self {
        let status = status.try_into().unwrap_or_default();
        Self::new(&Problem::new(status, code, meaning))
    }
}

/// What `utoipa::IntoResponses` returns for a type that names problems of a route.
pub fn responses(
    problems: impl IntoIterator<Item = impl Into<Problem>>,
) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for problem in problems {
        let problem = Described::new(&problem.into());
        let example = (problem.code, RefOr::T(problem.example));
        let status = problem.status.to_string();
        by_status.entry(status).or_default().push(example);
    }
    let response = |examples| response("", examples).build().into();
    by_status
        .into_iter()
        .map(|(status, examples)| (status, response(examples)))
        .collect()
}

/// An answer that is one of these problems.
pub(super) fn response(
    description: impl Into<String>,
    examples: Vec<(String, RefOr<Example>)>,
) -> ResponseBuilder {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    ResponseBuilder::new()
        .description(description)
        .content(PROBLEM_MEDIA_TYPE, content)
}

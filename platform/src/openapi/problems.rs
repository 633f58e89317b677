//! The problems that an operation can answer: those of every request, those that come with what the operation
//! takes, and those that its route names. A problem is described by an example of it, under its code.

use std::collections::BTreeMap;

use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::http::{PROBLEM_MEDIA_TYPE, Problem, ProblemDocument};

/// Status and code of a problem, what it means, and what a client can do.
pub(super) type Kind = (u16, &'static str, &'static str, &'static str);

/// What may be wrong with any request.
pub(super) const OF_EVERY_REQUEST: [Kind; 16] = [
    (
        400,
        "repeated_header",
        "A header is sent more than once that may be sent only once.",
        "Send the header once.",
    ),
    (
        400,
        "malformed_url",
        "The URL holds the character U+0000.",
        "Leave that character out.",
    ),
    (
        400,
        "secret_in_url",
        "The URL holds a secret, which belongs in a header or in the body.",
        "Send it as a header or in the body, and replace it: the URL may be in a log.",
    ),
    (
        400,
        "unreadable_body",
        "The body cannot be read: the connection broke off, or the chunks of the body are malformed.",
        "Send the request again, a command with the same Idempotency-Key.",
    ),
    (
        400,
        "invalid_host",
        "The request must have exactly one valid Host.",
        "Send one valid header Host.",
    ),
    (
        406,
        "not_acceptable",
        "The client accepts none of the media types that this path answers.",
        "Accept what `detail` names, or leave Accept out.",
    ),
    (
        408,
        "request_timeout",
        "The body did not arrive in time.",
        "Send the request again, a command with the same Idempotency-Key.",
    ),
    (
        413,
        "body_too_large",
        "The body is larger than the limit of this path.",
        "Send less: `detail` says how much is allowed.",
    ),
    (
        414,
        "url_too_long",
        "The URL is longer than the limit.",
        "Send less in the URL: `detail` says how much is allowed.",
    ),
    (
        422,
        "invalid",
        "Some values of the request are not acceptable: see errors.",
        "Change what `errors` names, and send the request again.",
    ),
    (
        429,
        "too_many_requests",
        "Too many requests of this client are being handled, or are waiting, at the moment.",
        "Wait for answers before you send more: `detail` says how many there may be at a time.",
    ),
    (
        431,
        "headers_too_large",
        "There are too many headers, or they are too large.",
        "Send fewer or smaller headers: `detail` says how much is allowed.",
    ),
    (
        500,
        "internal",
        "Something went wrong on our side. The instance names this occurrence in our log.",
        "Send the request again later, a command with the same Idempotency-Key. If it stays so, report the `instance`.",
    ),
    (
        501,
        "unsupported_transfer_coding",
        "The body has a transfer coding other than chunked.",
        "Send the body chunked, or with Content-Length.",
    ),
    (
        503,
        "overloaded",
        "Too many requests are being handled at the moment.",
        "Send the request again after `Retry-After`, a command with the same Idempotency-Key.",
    ),
    (
        503,
        "timeout",
        "The answer was not ready in time. A command may have taken effect or not: send it again with the same Idempotency-Key.",
        "Send the request again after `Retry-After`, a command with the same Idempotency-Key.",
    ),
];

/// What may be wrong with the version that the client expects.
pub(super) const OF_CONDITIONS: [Kind; 2] = [
    (
        400,
        "invalid_if_match",
        "If-Match must be a version as an ETag gave it.",
        "Send the `ETag` of an answer as it is, or `*`, or leave If-Match out.",
    ),
    (
        412,
        "precondition_failed",
        "What the request is about is at no version that If-Match names.",
        "Read it again, and decide anew whether to send the request. The `version` of a command's problem is the present one.",
    ),
];

/// What may be wrong with a path that has parameters.
pub(super) const OF_PATHS: [Kind; 1] = [(
    400,
    "invalid_path",
    "A parameter of the path does not have the right form.",
    "Change the parameter that `detail` names.",
)];

/// What may be wrong with a query string.
pub(super) const OF_QUERIES: [Kind; 1] = [(
    400,
    "repeated_parameter",
    "A parameter is sent more than once.",
    "Send the parameter once.",
)];

/// What may be wrong with the cursor of a page.
pub(super) const OF_CURSORS: [Kind; 1] = [(
    400,
    "invalid_cursor",
    "The cursor does not come from a page of this list. Start again without one.",
    "Start again without a cursor.",
)];

/// What may be wrong with a JSON body.
pub(super) const OF_BODIES: [Kind; 2] = [
    (
        400,
        "malformed_json",
        "The body is not JSON, or repeats a key of an object.",
        "Send one JSON value: `detail` says what is wrong, and mostly where.",
    ),
    (
        415,
        "unsupported_media_type",
        "The body must be JSON, sent with Content-Type: application/json.",
        "Send the body as JSON, with that Content-Type and without Content-Encoding.",
    ),
];

/// What may be wrong with the conditions of a command.
pub(super) const OF_COMMANDS: [Kind; 1] = [(
    400,
    "unexpected_if_none_match",
    "A command takes no If-None-Match.",
    "Leave it out. If-Match names the version that a command expects.",
)];

/// What is wrong with a body where none is taken.
pub(super) const OF_UNEXPECTED_BODIES: [Kind; 1] = [(
    400,
    "unexpected_body",
    "This path takes no body.",
    "Leave the body out.",
)];

/// What may be wrong with a credential.
pub(super) const OF_CREDENTIALS: [Kind; 3] = [
    (
        401,
        "unauthenticated",
        "The request carries no credential and this requires one, or it carries one of a scheme that is not taken.",
        "Log in, and send the access token as `Authorization: Bearer`.",
    ),
    (
        401,
        "invalid_token",
        "The credential is not valid, or no longer valid.",
        "Refresh the session, or log in again. `detail` says what is wrong with the credential.",
    ),
    (
        403,
        "insufficient_scope",
        "The credential is valid, but of a kind that may not do this: a service sent what is for users, or a user what is for services, or a service named a reactor as which it may not act.",
        "Send the credential that this is for.",
    ),
];

/// What is answered where no operation is, beside `not_found`, which operations answer too.
pub(super) const OF_NO_OPERATION: [Kind; 3] = [
    (
        405,
        "method_not_allowed",
        "This path of this API does not support this method.",
        "Send a method that `Allow` names, or ask the other API: commands are taken by the command API, and queries by the query API.",
    ),
    (
        400,
        "refused",
        "The request was refused.",
        "Check the request against the description of the API.",
    ),
    (
        503,
        "not_ready",
        "This process is not ready to handle requests.",
        "Ask again after `Retry-After`.",
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
        let (meaning, what_to_do) = problem.explanation();
        Self {
            code: problem.code().to_owned(),
            status: problem.status().as_u16(),
            example: ExampleBuilder::new()
                .summary(title)
                .description(format!("{meaning}{PARAGRAPH}{what_to_do}"))
                .value(Some(document))
                .build(),
        }
    }

    pub(super) fn of_kind(&(status, code, meaning, what_to_do): &Kind) -> Self {
        let status = status.try_into().unwrap_or_default();
        let problem = Problem::new(status, code, meaning);
        Self::new(&problem.explained(meaning, what_to_do))
    }
}

/// What stands between the meaning of a problem and what to do, in the description of its example.
const PARAGRAPH: &str = "\n\n";

/// What a problem means, and what a client can do, as the description of its example has it.
pub(super) fn explanation(example: &Example) -> (&str, &str) {
    let parts = example.description.split_once(PARAGRAPH);
    parts.unwrap_or_default()
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

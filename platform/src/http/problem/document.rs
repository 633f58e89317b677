//! The JSON of a problem, and its description for `OpenAPI`.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Problem;

/// The longest pointer of an error.
const POINTER_BYTES_MAX: usize = 256;

/// The media type of problems.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/problems/bid_too_low",
    "title": "Bid too low",
    "status": 409,
    "code": "bid_too_low",
    "detail": "The next bid is at least 12000 in minor units of EUR.",
    "instance": "urn:uuid:0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
    "minimum": { "amount": 12_000, "currency": "EUR" },
}))]
pub struct ProblemDocument<'a> {
    /// URI reference that names the kind of problem.
    r#type: String,
    /// The kind of problem in words.
    title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The stable name of the kind of problem, which programs should compare.
    code: &'a str,
    /// What is wrong with this request, for people.
    detail: &'a str,
    /// This occurrence, as a URN of the correlation id under which it was logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// What is wrong with each field.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Further members, which depend on the code.
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

/// What is wrong with one field or parameter of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the body as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/amount/amount")]
    pointer: Option<String>,
    /// Name of the query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is wrong with it.
    detail: String,
}

impl FieldError {
    /// An error in the body. A pointer that is very long, since clients choose keys, is cut to that of a value around it.
    pub fn pointer(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut pointer = pointer.into();
        if pointer.len() > POINTER_BYTES_MAX {
            let kept = &pointer.as_bytes()[..POINTER_BYTES_MAX];
            let parent = kept.iter().rposition(|byte| *byte == b'/');
            pointer.truncate(parent.unwrap_or(0));
        }
        Self {
            pointer: Some(pointer),
            parameter: None,
            detail: detail.into(),
        }
    }

    /// Where the error is in the body.
    pub(crate) fn place(&self) -> &str {
        self.pointer.as_deref().unwrap_or_default()
    }

    /// Whether the other error is at the same place or within it.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let within = other.place().strip_prefix(self.place());
        within.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// An error in a query parameter.
    pub fn parameter(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: None,
            parameter: Some(name.into()),
            detail: detail.into(),
        }
    }
}

impl<'a> ProblemDocument<'a> {
    /// The document as clients could get it.
    pub(crate) fn example(problem: &Problem) -> Value {
        let document = ProblemDocument::new(problem, Some(format!("urn:uuid:{}", Uuid::nil())));
        serde_json::to_value(document).unwrap_or_default()
    }

    pub(crate) fn new(problem: &'a Problem, instance: Option<String>) -> Self {
        let inner = &*problem.0;
        Self {
            r#type: format!("/problems/{}", inner.code),
            title: title(inner.code),
            status: inner.status.as_u16(),
            code: inner.code,
            detail: &inner.detail,
            instance,
            errors: &inner.errors,
            members: &inner.members,
        }
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

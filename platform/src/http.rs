//! The conventions of HTTP that every API shares: problems (RFC 9457), and extractors that refuse with
//! problems. What runs around every route is in `middleware`; this module knows no route and no command.

mod body;
mod content_tag;
mod correlation;
mod entity_tags;
mod headers;
mod json;
mod list;
mod parameters;
mod problem;
pub mod tus;
pub(crate) mod words;

pub use body::{ReceivedBody, Streamed, body_limit, body_timeout, unreadable_body};
pub use content_tag::{document_tag, tag_content};
pub use correlation::Correlation;
pub use headers::{
    CAUSATION_ID, EMAIL_ADDRESS, IDEMPOTENCY_REPLAYED, IdempotencyKey, IfMatch, PHONE_NUMBER,
    REACTOR, etag,
};
pub use json::{Faults, Json, Stated, without_parameters};
pub(crate) use parameters::check_repetition;
pub use parameters::{Path, Query};
pub use problem::{FieldError, Problem, ProblemDocument};

pub(crate) use body::{BodyLimits, leave_body, receive_body};
pub(crate) use correlation::{CORRELATION_ID, TRACEPARENT};
pub(crate) use entity_tags::{EntityTags, weakened};
pub(crate) use headers::{IDEMPOTENCY_KEY, if_match};
pub(crate) use list::{accepts, elements, weighted};
pub(crate) use problem::MEDIA_TYPE as PROBLEM_MEDIA_TYPE;

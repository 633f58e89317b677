//! The conventions of HTTP that every API shares: problems (RFC 9457), extractors that refuse with
//! problems, and the layers around every router. It knows no route and no command.

mod body;
mod contain;
mod context;
mod guard;
mod headers;
mod json;
mod layers;
mod observe;
mod params;
mod problem;

pub use body::body_limit;
pub use context::RequestContext;
pub use headers::{IdempotencyKey, IfMatch, etag};
pub use json::Json;
pub use layers::layers;
pub use params::{Path, Query};
pub use problem::{FieldError, Problem, ProblemDocument};

pub(crate) use observe::Actor;

#[cfg(test)]
mod tests;

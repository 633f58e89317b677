//! The one place that makes ids, so that decisions and folds, which are given theirs, can be replayed.

use uuid::Uuid;

/// A new id: a UUID of version 7, so that ids made later sort later, and that rows made together lie
/// together in an index.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "everybody else takes an id, or calls this function where a request or a process begins"
)]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

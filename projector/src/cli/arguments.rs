//! The arguments that several commands take, each with what is said of one that is none.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A moment, in RFC 3339.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let time = text.parse();
    time.map_err(|_| "it must be a time such as 2027-01-31T12:00:00Z")
}

/// The id of a row.
pub(super) fn id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(|_| "it must be a UUID")
}

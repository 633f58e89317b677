//! The one place that makes ids, so that decisions and folds, which are given theirs, can be replayed.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The bits after the milliseconds with which an id begins.
const TIME_BITS: u32 = 80;

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

/// When an id was made, to the millisecond. Of an id that is none of ours it says anything.
#[must_use]
pub fn made_at(id: Uuid) -> DateTime<Utc> {
    let ms = i64::try_from(id.as_u128() >> TIME_BITS).unwrap_or_default();
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

/// The first of the ids that are made in the millisecond of a time.
#[must_use]
pub fn first_made_at(time: DateTime<Utc>) -> Uuid {
    let ms = u128::try_from(time.timestamp_millis()).unwrap_or_default();
    Uuid::from_u128(ms << TIME_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_between_the_first_ones_of_their_millisecond_and_of_the_next() {
        let id = new_id();
        let made_at = made_at(id);
        let next = made_at + chrono::TimeDelta::milliseconds(1);
        assert!(first_made_at(made_at) <= id && id < first_made_at(next));
    }
}

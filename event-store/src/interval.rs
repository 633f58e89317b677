//! Durations as Postgres takes them.

use std::time::Duration;

use sqlx::postgres::types::PgInterval;

/// The interval of the same length. One that is too long for Postgres becomes its longest.
pub(crate) fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}

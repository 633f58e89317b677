//! Times as clients state them.

use chrono::{DateTime, Datelike, Timelike};
use serde::Deserialize;

use super::Value;
use crate::Timestamp;

/// The first year of a stated time.
const YEAR_MIN: i32 = 1970;
/// The last year of a stated time: RFC 3339 has four digits for it.
const YEAR_MAX: i32 = 9999;
/// The last microsecond of that year, counted from the beginning of 1970.
const MICROS_MAX: i64 = 253_402_300_799_999_999;

/// A time that a client stated, in whole microseconds.
///
/// Its text follows the grammar of RFC 3339 to the letter. What is finer than a microsecond is cut off,
/// because Postgres would round it, and then one time would be two. Leap seconds are refused: Postgres and
/// most clients have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(Timestamp);

/// Why a text or a time is not a [`Moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// The text does not follow the grammar, or names a time that no calendar has.
    #[error("must be a time as RFC 3339 writes it, such as 2027-01-31T12:00:00Z")]
    Malformed,
    /// The time is a leap second.
    #[error("must not be a leap second")]
    LeapSecond,
    /// The year, in UTC, is out of range.
    #[error("must be in the years {YEAR_MIN} to {YEAR_MAX}")]
    YearOutOfRange,
}

impl Moment {
    /// The time.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The moment nearest to a time that no client stated: one of the clock, or computed from others.
    #[must_use]
    pub fn nearest(time: Timestamp) -> Self {
        let micros = time.timestamp_micros().clamp(0, MICROS_MAX);
        Self(DateTime::from_timestamp_micros(micros).unwrap_or_default())
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

impl Value for Moment {
    type Plain = Timestamp;
}

impl TryFrom<Timestamp> for Moment {
    type Error = MomentError;

    fn try_from(time: Timestamp) -> Result<Self, MomentError> {
        // Chrono counts the nanoseconds of a leap second on from those of the second before.
        if time.nanosecond() >= 1_000_000_000 {
            return Err(MomentError::LeapSecond);
        }
        if !(YEAR_MIN..=YEAR_MAX).contains(&time.year()) {
            return Err(MomentError::YearOutOfRange);
        }
        DateTime::from_timestamp_micros(time.timestamp_micros())
            .map(Self)
            .ok_or(MomentError::YearOutOfRange)
    }
}

impl TryFrom<String> for Moment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Self, MomentError> {
        if !follows_grammar(text.as_bytes()) {
            return Err(MomentError::Malformed);
        }
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_| MomentError::Malformed)?;
        time.to_utc().try_into()
    }
}

/// Whether the text is `date-time` of RFC 3339, section 5.6, apart from the ranges of its numbers. Chrono
/// accepts more, such as a space in place of the `T`.
fn follows_grammar(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let offset = match rest {
        [b'.', fraction @ ..] => {
            let digits = fraction
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            if digits == 0 {
                return false;
            }
            &fraction[digits..]
        }
        whole_second => whole_second,
    };
    has_form(date_time, b"0000-00-00T00:00:00")
        && (has_form(offset, b"Z") || has_form(offset, b"+00:00") || has_form(offset, b"-00:00"))
}

/// Whether the text is the form with any digit for each 0, and letters of any case.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    text.len() == form.len()
        && text
            .iter()
            .zip(form)
            .all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                expected => byte.eq_ignore_ascii_case(expected),
            })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stored;

    fn parse(text: &str) -> Result<Moment, MomentError> {
        text.to_owned().try_into()
    }

    #[test]
    fn times_are_kept_in_utc_and_in_whole_microseconds() {
        for (text, kept) in [
            ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
            ("2027-01-31t12:00:00z", "2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:00-00:00", "2027-01-31T12:00:00Z"),
            ("2027-02-01T01:30:00+13:30", "2027-01-31T12:00:00Z"),
            ("2027-01-31T12:00:00.5Z", "2027-01-31T12:00:00.500Z"),
            (
                "2027-01-31T12:00:00.123456789Z",
                "2027-01-31T12:00:00.123456Z",
            ),
            (
                "2027-01-31T12:00:00.9999999999999Z",
                "2027-01-31T12:00:00.999999Z",
            ),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            (
                "9999-12-31T23:59:59.999999999Z",
                "9999-12-31T23:59:59.999999Z",
            ),
        ] {
            let moment = parse(text).unwrap();
            let stored = serde_json::to_string(&Stored::from(moment)).unwrap();
            assert_eq!(stored, format!("\"{kept}\""), "{text}");
        }
    }

    #[test]
    fn other_texts_than_those_of_the_grammar_are_refused() {
        for text in [
            "",
            "2027-01-31",
            "2027-01-31T12:00Z",
            "2027-01-31T12:00:00",
            "2027-01-31 12:00:00Z",
            "2027-01-31T12:00:00 UTC",
            "2027-01-31T12:00:00 Z",
            "2027-01-31T12:00:00+0000",
            "2027-01-31T12:00:00+00",
            "2027-01-31T12:00:00+24:00",
            "2027-01-31T12:00:00\u{2212}01:00",
            "2027-1-31T12:00:00Z",
            "2027-01-1T12:00:00Z",
            "2027-01-31T1:00:00Z",
            "2027-01-31T12:00:00.Z",
            "2027-01-31T12:00:00,5Z",
            "2027-01-31T24:00:00Z",
            "2027-02-29T12:00:00Z",
            "2027-01-31T12:00:61Z",
            "+2027-01-31T12:00:00Z",
            "12027-01-31T12:00:00Z",
            " 2027-01-31T12:00:00Z",
            "2027-01-31T12:00:00Z\n",
            "\u{0662}027-01-31T12:00:00Z",
        ] {
            assert_eq!(parse(text), Err(MomentError::Malformed), "{text}");
        }
    }

    #[test]
    fn leap_seconds_and_far_years_are_refused() {
        for text in ["2016-12-31T23:59:60Z", "2027-01-31T23:59:60.5Z"] {
            assert_eq!(parse(text), Err(MomentError::LeapSecond), "{text}");
        }
        for text in [
            "0000-01-01T00:00:00Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00+00:01",
            "9999-12-31T23:59:59-00:01",
        ] {
            assert_eq!(parse(text), Err(MomentError::YearOutOfRange), "{text}");
        }
    }

    #[test]
    fn every_time_is_near_a_moment() {
        let last = parse("9999-12-31T23:59:59.999999Z").unwrap();
        let first = parse("1970-01-01T00:00:00Z").unwrap();
        assert_eq!(Moment::nearest(Timestamp::MAX_UTC), last);
        assert_eq!(Moment::nearest(Timestamp::MIN_UTC), first);
        let fine = Timestamp::from_timestamp(1, 123_456_789).unwrap();
        let cut = parse("1970-01-01T00:00:01.123456Z").unwrap();
        assert_eq!(Moment::nearest(fine), cut);
        let leap_second = Timestamp::from_timestamp(59, 1_500_000_000).unwrap();
        assert!(Moment::try_from(leap_second).is_err());
        let moment = Moment::nearest(leap_second);
        assert_eq!(moment.timestamp().try_into(), Ok(moment));
    }
}

//! Which bytes of a representation a client asks for (RFC 9110, section 14).

use std::ops::Range;

use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

/// What is answered to a client that may have asked for a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Everything.
    All,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that there are not.
    Beyond,
}

impl Asked {
    /// What a request with this method and these headers asks of something with this strong tag and so many bytes. What is malformed,
    /// or names several ranges, asks for everything, which a server may always answer with; so does `HEAD`, for which no range
    /// is defined.
    pub(super) fn of(method: &Method, headers: &HeaderMap, tag: &HeaderValue, bytes: u64) -> Self {
        if method != Method::GET {
            return Self::All;
        }
        // A client that may have the whole is told whether it has.
        let is_conditional = headers.contains_key(IF_NONE_MATCH);
        let mut if_range = headers.get_all(IF_RANGE).iter();
        let is_other = if_range.any(|it| it.as_bytes() != tag.as_bytes());
        let range = only(headers, &RANGE).and_then(|it| it.to_str().ok());
        match range.filter(|_| !is_conditional && !is_other) {
            Some(range) => parse(range, bytes).unwrap_or(Self::All),
            None => Self::All,
        }
    }
}

/// The value of a header with one line.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut lines = headers.get_all(name).iter();
    lines.next().filter(|_| lines.next().is_none())
}

fn parse(range: &str, bytes: u64) -> Option<Asked> {
    let (unit, range) = range.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = range.trim().split_once('-')?;
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..bytes.min(last.saturating_add(1)),
        (Some(first), None) if last.is_empty() => first..bytes,
        (None, Some(count)) if first.is_empty() => {
            if count == 0 {
                return Some(Asked::Beyond);
            }
            bytes.saturating_sub(count)..bytes
        }
        _ => return None,
    };
    Some(if range.is_empty() {
        Asked::Beyond
    } else {
        Asked::Part(range)
    })
}

/// A number as the grammar has it. One that is larger than any is taken for the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: HeaderValue = HeaderValue::from_static("\"a\"");

    fn asked(lines: &[(HeaderName, &'static str)]) -> Asked {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        Asked::of(&Method::GET, &headers, &TAG, 10)
    }

    #[test]
    fn no_range_is_defined_but_for_get() {
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static("bytes=0-1"))]);
        assert_eq!(Asked::of(&Method::HEAD, &headers, &TAG, 10), Asked::All);
    }

    #[test]
    fn one_range_is_answered_and_one_beyond_the_end_refused() {
        for (range, answer) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("bytes=2-", Asked::Part(2..10)),
            ("Bytes=2-99999999999999999999", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=10-", Asked::Beyond),
            ("bytes=99999999999999999999-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=5-2", Asked::All),
            ("bytes=", Asked::All),
            ("bytes=-", Asked::All),
            ("bytes=a-b", Asked::All),
            ("bytes=+1-2", Asked::All),
            ("bytes=0-1,3-4", Asked::All),
            ("lines=0-1", Asked::All),
        ] {
            assert_eq!(asked(&[(RANGE, range)]), answer, "{range}");
        }
        let twice = [(RANGE, "bytes=0-0"), (RANGE, "bytes=1-1")];
        assert_eq!(asked(&twice), Asked::All);
    }

    #[test]
    fn a_range_of_something_else_is_answered_with_everything() {
        let range = (RANGE, "bytes=0-0");
        let part = Asked::Part(0..1);
        for (tag, answer) in [
            ("\"a\"", part),
            ("\"b\"", Asked::All),
            ("W/\"a\"", Asked::All),
            ("Sat, 29 Oct 1994 19:43:31 GMT", Asked::All),
        ] {
            assert_eq!(asked(&[range.clone(), (IF_RANGE, tag)]), answer, "{tag}");
        }
        assert_eq!(asked(&[range, (IF_NONE_MATCH, "\"b\"")]), Asked::All);
    }
}

//! Headers that are lists. A list may be spread over several lines and may have empty elements
//! (RFC 9110, sections 5.3 and 5.6.1).

use axum::http::{HeaderMap, HeaderName};

/// What stands for a line that is not ASCII, so that it is an element which nothing is equal to.
const UNREADABLE: &str = "\u{fffd}";

/// The elements of all lines of a header, without the empty ones. It is not for headers whose elements
/// may hold commas between quotes.
pub(crate) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| line.to_str().unwrap_or(UNREADABLE).split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

/// An element without its parameters, and its weight `q`, which is 1 if the element has none.
pub(crate) fn weighted(element: &str) -> (&str, f32) {
    let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
    let weight = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        let value = value.parse().ok()?;
        name.eq_ignore_ascii_case("q").then_some(value)
    });
    (name.trim(), weight.unwrap_or(1.0))
}

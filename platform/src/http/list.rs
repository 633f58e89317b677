//! Headers that are lists. A list may be spread over several lines and may have empty elements
//! (RFC 9110, sections 5.3 and 5.6.1).

use axum::http::header::ACCEPT;
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

/// An element without its parameters, and its weight `q`, which is 1 if the element has none. An element whose weight is
/// malformed counts as one that was not sent.
pub(crate) fn weighted(element: &str) -> Option<(&str, f32)> {
    let (name, parameters) = element.split_once(';').unwrap_or((element, ""));
    let parameters = parameters
        .split(';')
        .filter_map(|it| it.trim().split_once('='));
    let weight = { parameters }.find(|(name, _)| name.eq_ignore_ascii_case("q"));
    let weight = weight.map_or(Some(1.0), |(_, text)| parse_weight(text))?;
    Some((name.trim(), weight))
}

/// A number from 0 to 1 (RFC 9110, section 12.4.2). Clients also send `.2`, and more than three decimals.
fn parse_weight(text: &str) -> Option<f32> {
    let is_decimal = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let weight = text.parse().ok()?;
    (is_decimal && weight <= 1.0).then_some(weight)
}

/// Whether a client takes answers of a media type: the range that names it most closely decides. A client that lists
/// nothing excludes nothing.
pub(crate) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let weight = |range: &str| {
        let mut ranges = elements(headers, ACCEPT).filter_map(weighted);
        let found = ranges.find(|(name, _)| name.eq_ignore_ascii_case(range));
        found.map(|(_, weight)| weight)
    };
    let kind = media_type.split('/').next().unwrap_or_default();
    let weight = weight(media_type)
        .or_else(|| weight(&format!("{kind}/*")))
        .or_else(|| weight("*/*"));
    match weight {
        Some(weight) => weight > 0.0,
        None => elements(headers, ACCEPT).find_map(weighted).is_none(),
    }
}

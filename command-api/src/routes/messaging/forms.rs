//! The forms that are posted by others than clients of the API: by mail programs, by browsers, and by the provider of texts.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use tidemark_platform::http::{Problem, without_parameters};

/// The media type of forms whose fields are written as in the query of a URL.
pub(super) const URLENCODED: &str = "application/x-www-form-urlencoded";
/// The media type of forms whose fields are parts of the body.
pub(super) const MULTIPART: &str = "multipart/form-data";

/// Refuses a body that is not sent as a form of one of these types, as it is.
pub(super) fn expect_form(headers: &HeaderMap, taken: &[&str]) -> Result<(), Problem> {
    let sent = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let sent = without_parameters(sent.unwrap_or_default());
    let is_taken = taken.iter().any(|it| it.eq_ignore_ascii_case(sent));
    if is_taken && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = format!(
        "The body must be sent as {}, without Content-Encoding.",
        taken.join(" or ")
    );
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Problem::new(status, "unsupported_media_type", detail))
}

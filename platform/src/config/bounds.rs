//! What the values of settings must satisfy, as rules for `garde`. The name of the setting stands before each
//! message.

use std::fmt::Display;

use axum::http::Uri;

/// The setting must not be zero or less, because then the part that reads it could do nothing.
pub(super) fn positive<T: PartialOrd + From<u8>, C>(value: &T, _context: &C) -> garde::Result {
    if *value < T::from(1) {
        return Err(garde::Error::new("must be at least 1"));
    }
    Ok(())
}

/// The setting must be a URL to which paths can be added.
pub(super) fn base_url<C>(value: &str, _context: &C) -> garde::Result {
    let uri = value.parse::<Uri>().ok();
    let is_base = uri.is_some_and(|uri| {
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        is_web && uri.authority().is_some() && uri.query().is_none()
    });
    if is_base && !value.ends_with('/') && !value.contains('#') {
        return Ok(());
    }
    Err(garde::Error::new(
        "must be a URL that begins with http:// or https://, without a slash at its end",
    ))
}

/// The setting must be empty, or a URL to which paths can be added. Slashes at its end are left out where it is read.
pub(super) fn base_url_or_none<C>(value: &str, context: &C) -> garde::Result {
    if value.is_empty() {
        return Ok(());
    }
    base_url(value.trim_end_matches('/'), context)
}

/// The setting must exceed the setting `other`.
pub(super) fn longer_than<T: PartialOrd>(
    other: &'static str,
    other_value: T,
) -> impl FnOnce(&T, &()) -> garde::Result {
    move |value, ()| {
        if *value > other_value {
            return Ok(());
        }
        Err(garde::Error::new(format!("must be longer than `{other}`")))
    }
}

/// The setting must not exceed the setting `other`.
pub(super) fn at_most<T: PartialOrd + Display>(
    other: &'static str,
    other_value: T,
) -> impl FnOnce(&T, &()) -> garde::Result {
    move |value, ()| {
        if *value <= other_value {
            return Ok(());
        }
        Err(garde::Error::new(format!(
            "must not exceed `{other}`, which is {other_value}"
        )))
    }
}

/// The setting must not exceed a quarter of the setting `other`: what one may have of what all share.
pub(super) fn at_most_a_quarter(
    other: &'static str,
    other_value: usize,
) -> impl FnOnce(&usize, &()) -> garde::Result {
    let quarter = other_value / 4;
    move |value, ()| {
        if *value <= quarter {
            return Ok(());
        }
        Err(garde::Error::new(format!(
            "must not exceed {quarter}, a quarter of `{other}`, or one could fill it"
        )))
    }
}

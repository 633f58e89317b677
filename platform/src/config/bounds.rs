//! What the values of settings must satisfy, as rules for `garde`. The name of the setting stands before each
//! message.

use std::fmt::Display;

/// The setting must not be zero or less, because then the part that reads it could do nothing.
pub(super) fn positive<T: PartialOrd + From<u8>, C>(value: &T, _context: &C) -> garde::Result {
    if *value < T::from(1) {
        return Err(garde::Error::new("must be at least 1"));
    }
    Ok(())
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

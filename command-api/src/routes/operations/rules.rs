//! Rules that the bodies of several orders have.

/// The rule of `garde` that a field is there if it is needed, and is left out if it is not.
pub(super) fn is_needed<T, C>(is_needed: bool) -> impl FnOnce(&Option<T>, &C) -> garde::Result {
    move |field, _| match (is_needed, field) {
        (true, None) => Err(garde::Error::new("is missing")),
        (false, Some(_)) => Err(garde::Error::new("must not be given")),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

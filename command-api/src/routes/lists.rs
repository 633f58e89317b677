//! Rules for lists in bodies.

use std::collections::BTreeSet;

/// The rule of `garde` that nothing stands in a list twice.
pub(super) fn are_distinct<T: Ord, C>(listed: &[T], _context: &C) -> garde::Result {
    let distinct: BTreeSet<_> = listed.iter().collect();
    if distinct.len() == listed.len() {
        Ok(())
    } else {
        Err(garde::Error::new("must not have the same twice"))
    }
}

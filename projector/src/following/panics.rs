//! Panics of folds and process managers. Both are pure, so that one call can be given up without harm.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of `what`. It is pure, so after a panic nothing is half changed and others can continue.
///
/// # Errors
/// If it panics, with a sentence that says so.
pub(crate) fn catch_panic<T>(what: &str, work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| format!("the {what} failed: {}", message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

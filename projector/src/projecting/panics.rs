//! Panics of folds. A read model is pure, so that one of its functions can be given up without harm.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A fold is pure, so after a panic nothing is half changed and work can continue.
pub(super) fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| format!("the fold failed: {}", message(&*panic)))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

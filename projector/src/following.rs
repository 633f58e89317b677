//! Following the log: one feed fills a ring, from which all subscribers of the process read. It does
//! not know what an event means to a subscriber.

pub(crate) mod blocked;
mod build_pace;
pub(crate) mod build_turns;
pub(crate) mod failure;
pub(crate) mod feed;
pub(crate) mod follow;
pub(crate) mod log_pages;
pub(crate) mod page;
pub(crate) mod panics;
mod retries;
pub(crate) mod ring;
pub(crate) mod source;
pub(crate) mod subscriber;

mod measurements;

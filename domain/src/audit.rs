//! Decisions about the log itself: who may read it.

pub mod reading;

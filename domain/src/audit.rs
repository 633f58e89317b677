//! Decisions about the log itself: who may read history.

pub mod reading;

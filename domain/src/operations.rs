//! Decisions about the running system, which operators take.

pub mod retry;

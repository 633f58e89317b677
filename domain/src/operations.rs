//! Decisions about the running system, which operators take.

pub mod rebuild;
pub mod repair;
pub mod retry;

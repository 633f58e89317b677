//! Decisions about the running system, which operators take.

pub mod fork;
pub mod log_position;
pub mod publication;
pub mod rebuild;
pub mod registered_name;
pub mod repair;
pub mod retry;

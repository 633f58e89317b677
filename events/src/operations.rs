//! Events of operators: what they do to a running system is on record, as everything else is.

pub mod fork;
pub mod publication;
pub mod rebuild;
pub mod repair;
pub mod retry;

//! Decisions about what people are told.

pub mod message;
pub mod processes;

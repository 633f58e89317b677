//! Decisions about what people are told.

pub mod message;
pub mod notification;
pub mod preferences;
pub mod processes;

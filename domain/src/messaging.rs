//! Decisions about what people are told.

pub mod bounce;
pub mod contact_point;
pub mod message;
pub mod notification;
pub mod preferences;
pub mod processes;

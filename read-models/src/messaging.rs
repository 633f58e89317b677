//! Read models about what people are told.

pub mod inbox;
pub mod notification;
pub mod preferences;

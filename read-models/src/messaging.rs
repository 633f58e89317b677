//! Read models about what people are told.

pub mod delivery;
pub mod inbox;
pub mod notification;
pub mod preferences;
pub mod suppression;
pub mod template;

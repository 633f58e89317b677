//! Decisions about what people are told.

pub mod bounce;
pub mod contact_point;
pub mod digest;
pub mod message;
pub mod notification;
pub mod phone;
pub mod preferences;
pub mod processes;
pub mod rendering;
mod segments;
pub mod template;
pub(crate) mod text_budget;
pub mod wording;

//! Events about what people are told, and whether it reached them.

pub mod channels;
pub mod contact_point;
pub mod digest;
pub mod message;
pub mod notice;
pub mod notification;
pub mod preferences;
pub mod template;
pub mod text_budget;

//! Events about what people are told, and whether it reached them.

pub mod message;

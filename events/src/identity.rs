//! Events about people: who they are, how they prove it, and where they are logged in.

pub mod credential;
pub mod session;
pub mod user;

//! Decisions about people: who they are, how they prove it, where they are logged in and what they may
//! do.

pub(crate) mod access;
pub mod credential;
pub mod session;
pub mod user;

pub use self::access::check_session;

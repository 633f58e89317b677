//! The effect of tasks: calls of the URLs that users named.

mod attempt;
mod http_client;
mod signature;
pub(crate) mod webhook;

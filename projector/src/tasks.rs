//! The effect of tasks: calls of the URLs that users named.

mod http_client;
mod signature;
pub(crate) mod webhook;

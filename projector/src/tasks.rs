//! The effect of tasks: calls of the URLs that users named.

mod attempt;
mod http_client;
mod sending;
mod signature;
pub(crate) mod webhook;

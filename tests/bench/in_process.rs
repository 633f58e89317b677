//! What is measured in this process, without HTTP: the executor, the append function, and what
//! Postgres does by itself.

pub(crate) mod baseline;
pub(crate) mod clients;
pub(crate) mod long_log;
mod market;
mod opening;

pub(crate) use market::{AUCTIONS, Market};

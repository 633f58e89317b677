//! What is measured on the real processes, over HTTP.

mod connection;
mod copies;
mod lag;
mod market;
mod querying;
mod streams;

pub(crate) use connection::Connection;
pub(crate) use copies::{copy_read_models, follow_all, follow_only};
pub(crate) use lag::{Lag, LagWatch};
pub(crate) use market::{CLIENTS, Market};
pub(crate) use querying::{QueryingBidder, Seen, querying_bidders};
pub(crate) use streams::Streams;

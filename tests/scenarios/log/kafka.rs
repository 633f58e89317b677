//! The relay publishes the log to Kafka complete and in order, and the feed gives it back so, on a real
//! broker.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    reason = "a test makes its own ids and random numbers, and fails where it stands"
)]

mod adoption;
mod compression;
mod feed;
pub(crate) mod foreign;
mod forks;
mod relay;
mod relayed_log;
mod republication;
mod terms;
pub(crate) mod topics;

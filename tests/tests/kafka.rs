//! The log's way through Kafka, relay and feed, on a real broker.

mod feed;
mod relay;
mod topics;
mod world;

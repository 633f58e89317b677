//! Every integration test, linked once. Each module is about one promise.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod mutate;
mod routes;
mod sweep;

mod access;
mod architecture;
mod auctions;
mod audit;
mod bad_input;
mod bad_values;
mod bids;
mod every_route;
mod idempotency;
mod live;
mod market;
mod outcomes;
mod plans;
mod projection;
mod reads;
mod register;
mod rests;
mod secrecy;
mod sessions;
mod silence;
mod snapshots;
mod through_kafka;
mod tidemark;
mod timers;
mod versions;
mod whole;
mod wire;
mod writers;

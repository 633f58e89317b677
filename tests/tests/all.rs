//! Every integration test, linked once. Each module is about one promise.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod mutate;
mod routes;

mod access;
mod architecture;
mod audit;
mod bad_input;
mod bids;
mod every_route;
mod idempotency;
mod live;
mod market;
mod outcomes;
mod projection;
mod reads;
mod register;
mod secrecy;
mod sessions;
mod tidemark;
mod timers;
mod versions;
mod whole;
mod wire;

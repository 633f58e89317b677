//! Every integration test, linked once. Each module is about one promise.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod mutate;
mod routes;

mod architecture;
mod bad_input;
mod every_route;
mod idempotency;
mod outcomes;
mod projection;
mod register;
mod sessions;
mod versions;
mod whole;
mod wire;

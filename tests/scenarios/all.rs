//! Every scenario, in one binary that is linked once. Scenarios of one context are in its folder; what
//! holds of every route, of the log and of read models is in a folder named for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod alerts;
mod architecture;
mod audit;
mod documentation;
mod first_steps;
mod http;
mod identity;
mod images;
mod journey;
mod log;
mod market;
mod media;
mod messaging;
mod observability;
mod operations;
mod projection;
mod tasks;
mod traces;

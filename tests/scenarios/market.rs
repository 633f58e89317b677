//! The scenarios of the context `market`, and its routes.

mod auctions;
mod bids;
mod categories;
mod contests;
mod extremes;
mod lists;
pub(crate) mod live_updates;
mod products;
mod reserve;
mod routes;
mod timers;

pub(crate) use routes::routes;

//! The scenarios of the context `market`.

mod auctions;
mod bids;
mod categories;
mod contests;
mod lists;
mod live_updates;
mod products;
mod reserve;
mod timers;

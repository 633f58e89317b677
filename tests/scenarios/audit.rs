//! The scenarios of the context `audit`, and its routes.

mod audited_auction;
mod readings;
mod routes;
mod trail;

pub(crate) use routes::routes;

//! What holds of every route, whichever context it belongs to.

mod bad_bodies;
mod connections;
mod cors;
mod description;
mod examples;
mod extremes;
mod heads;
mod locations;
mod metrics;
mod output;
mod raw;
mod representations;
mod requests;
pub(crate) mod routes;
mod schemas;
mod shares;
mod storms;

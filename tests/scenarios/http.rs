//! What holds of every route that takes commands, whichever context it belongs to.

mod bad_bodies;
mod connections;
mod requests;
pub(crate) mod routes;

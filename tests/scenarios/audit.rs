//! The scenarios of the context `audit`, and its routes.

mod routes;
mod trail;

pub(crate) use routes::routes;

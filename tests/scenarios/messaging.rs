//! The scenarios of the context `messaging`, and its routes.

mod mail;
mod notifications;
mod roles;
mod routes;

pub(crate) use routes::routes;

//! The scenarios of the context `messaging`, and its routes.

mod mail;
mod roles;
mod notifications;
mod routes;

pub(crate) use routes::routes;

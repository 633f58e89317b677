//! The scenarios of the context `identity`, and its routes.

mod personal_data;
mod registration;
mod roles;
mod routes;
mod sessions;

pub(crate) use routes::routes;

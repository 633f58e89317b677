//! The scenarios of the context `identity`, and its routes.

mod callers;
mod issuer;
mod personal_data;
mod refresh_tokens;
mod registration;
mod roles;
mod routes;
mod sellers;
mod sessions;

pub(crate) use routes::routes;

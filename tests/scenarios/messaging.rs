//! The scenarios of the context `messaging`, and its routes.

mod bounces;
mod limits;
mod live_inbox;
pub(crate) mod mail;
mod notifications;
mod phones;
mod provider;
mod roles;
mod routes;
mod suppressions;
mod templates;
mod texts;
mod unsubscribing;
mod watching;

pub(crate) use routes::routes;

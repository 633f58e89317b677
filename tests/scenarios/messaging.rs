//! The scenarios of the context `messaging`, and its routes.

mod bounces;
pub(crate) mod callbacks;
mod complaints;
mod digests;
mod limits;
mod live_inbox;
pub(crate) mod mail;
mod notifications;
mod numbers;
mod phones;
pub(crate) mod provider;
mod roles;
mod routes;
pub(crate) mod suppressions;
mod templates;
pub(crate) mod texts;
mod unsubscribing;
mod watching;

pub(crate) use routes::routes;

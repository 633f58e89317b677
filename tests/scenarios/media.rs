//! The scenarios of the context `media`, and its routes.

mod avatars;
mod downloads;
mod greed;
mod hanging;
mod inspector;
mod lost;
mod memory;
mod parts;
mod pictures;
mod protocol;
mod removal;
mod resumed;
mod routes;
mod store;
mod uploads;

pub(crate) use routes::routes;

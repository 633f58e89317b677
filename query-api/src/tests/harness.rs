//! What the tests of this crate share: a database of their own with rows as a projector leaves them,
//! this API over it, and a command API that only takes readings.

mod api;
mod command_api;
mod database;
mod events;
mod stream;

pub(crate) use api::Api;
pub(crate) use command_api::FakeCommandApi;
pub(crate) use database::Database;
pub(crate) use events::{auction, auction_events, recorded};
pub(crate) use stream::{Stream, field};

//! The harness that scenarios, chaos tests and benchmarks share: a database for each test, the processes
//! run as tasks or as the real binaries, and clients that use them through HTTP alone.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]
#![expect(
    clippy::missing_panics_doc,
    reason = "panicking is how a test says that something is wrong"
)]

use std::path::Path;

pub mod app;
mod backup;
pub mod bombs;
pub mod client;
pub mod collector;
pub mod database;
pub mod deployment;
mod description;
pub mod mail_server;
pub mod many_rows;
pub mod market;
pub mod messages;
mod metrics;
pub mod object_store;
pub mod people;
pub mod phones;
pub mod pictures;
pub mod port;
pub mod postfix;
pub mod process;
pub mod proxy;
pub mod records;
mod redis;
pub mod replay;
pub mod settings;
mod strange;
mod topics;
pub mod wait;

pub use app::App;
pub use client::{Answer, Client};
pub use collector::Collector;
pub use database::Database;
pub use deployment::Deployment;
pub use description::{apis, close, validator};
pub use mail_server::{MailServer, ReceivedMail};
pub use market::Market;
pub use object_store::ObjectStore;
pub use people::User;
pub use port::KeptPort;
pub use postfix::Postfix;
pub use process::Process;
pub use proxy::Proxy;
pub use redis::RedisServer;
pub use settings::Settings;
pub use strange::append_strange;
pub use tidemark_event_store::testing::from_environment;
pub use wait::eventually;

/// The directory of this repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

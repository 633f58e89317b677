//! The command API: validates intents, has them decided and appended, answers. It hosts the relay,
//! and it is the only process that appends. It serves no reads.

pub mod app;
pub mod caller;
pub mod error;
pub mod executor;
pub mod passwords;
mod publish;
mod roles;
mod routes;
mod run;

pub use roles::Roles;
pub use run::{StartError, run};

//! Follows the log: keeps the read models in Postgres and Redis, and answers events with commands
//! through reactors. It never appends to the log itself. Any number of projectors share the work.

mod checking;
mod error;
mod following;
mod measuring;
mod media;
mod messaging;
mod projecting;
mod reacting;
mod rebuilding;
mod roles;
mod run;
mod sharing;
mod tasks;

pub mod cli;

#[cfg(test)]
mod testing;

pub use error::Error;
pub use projecting::catch_up::{catch_up, catch_up_all};
pub use roles::Role;
pub use run::run;

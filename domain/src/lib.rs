//! The decisions of Tidemark: what may happen, given what has happened.
//!
//! Pure, synchronous and total. A command carries the time-independent data of an intent; time,
//! states and claims come through the [`View`]; ids and hashes arrive inside the command. Nothing
//! here does I/O, reads a clock or draws a random number.

mod access;
mod claim;
mod decision;
mod error;
mod registry;
mod state;

pub mod auction;
pub mod category;
pub mod credential;
pub mod process;
pub mod product;
pub mod reading;
pub mod reserve;
pub mod session;
pub mod user;

#[cfg(test)]
mod given;

pub use claim::{Claim, ClaimScope};
pub use decision::{Aggregate, Command, Load, Loaded, Reads, States, Stop, View, Write};
pub use error::{Error, Kind};
pub use state::Kept;

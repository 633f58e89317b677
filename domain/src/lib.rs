//! The decisions of Tidemark: what may happen, given what has happened.
//!
//! Pure, synchronous and total. A command carries the time-independent data of an intent; time,
//! states and claims come through the [`View`]; ids and hashes arrive inside the command. Nothing
//! here does I/O, reads a clock or draws a random number.

mod decision;
mod registry;

pub mod audit;
pub mod identity;
pub mod market;

#[cfg(test)]
mod given;

pub use decision::{
    AggregateState, Claim, ClaimScope, Command, Kind, Load, Loaded, Reads, Reason, Refusal,
    StateSnapshot, States, Stop, View, Write,
};

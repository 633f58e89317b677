//! The decisions of Tidemark: what may happen, given what has happened.
//!
//! Everything here is pure, synchronous and total. A command carries what the client wants, and the ids
//! and hashes that its events need; the time, states and claims come from the [`View`]. Nothing here
//! does I/O, reads a clock or draws a random number.

mod decision;
mod process_manager;
mod registry;

pub mod audit;
pub mod identity;
pub mod market;
pub mod media;
pub mod messaging;
pub mod operations;
pub mod tasks;

#[cfg(test)]
mod given;

pub use decision::{
    AggregateState, Claim, ClaimScope, Code, Command, Fault, Load, LoadedStream, Reads, Reason,
    Refusal, RefusalKind, StateSnapshot, States, Stop, View, Write,
};
pub use process_manager::{About, Action, Done, ProcessManager, What};
pub use registry::PROCESS_MANAGERS;

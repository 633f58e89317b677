//! Process managers: pure code that says which actions follow from an event. A reactor of the projector
//! stores the actions of each, and sends them to the command API when they are due.

use tidemark_events::{Event, Timestamp};

/// Decides which actions follow from an event.
#[derive(Clone, Copy, Debug)]
pub struct ProcessManager {
    /// The name of its reactor, for ever: in checkpoints, leases and idempotency keys, and as the actor
    /// of the events that its commands cause.
    pub name: &'static str,
    /// The stored types of the events that it reacts to.
    pub event_types: &'static [&'static str],
    /// The names of the commands that its actions may send. The command API refuses all others.
    pub commands: &'static [&'static str],
    /// The codes of the refusals that say that what an action is for has happened already, so that it is done.
    pub fulfilled: &'static [&'static str],
    /// The codes of the refusals that end an action, because its command can never act any more. After every
    /// other refusal the action is sent again: a code that is missing here costs requests, and one that is
    /// here wrongly costs the action.
    pub final_refusals: &'static [&'static str],
    /// The actions that follow from an event.
    pub react: fn(&Event) -> Vec<Action>,
}

/// A command to be sent at its due time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Tells the actions that follow from one event apart, for ever: it is part of the idempotency key.
    pub name: String,
    /// The action is not sent before this time.
    pub due_at: Timestamp,
    /// The path of the command API to which the command is posted, without a body.
    pub path: String,
}

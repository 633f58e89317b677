//! Process managers: pure code that says which actions follow from an event. A reactor of the projector
//! stores the actions of each, and sends them to the command API when they are due.

use serde_json::Value;
use tidemark_events::{Event, Timestamp, UserId};

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

/// Something to be done at its due time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Tells the actions that follow from one event apart, for ever: it is part of the idempotency key.
    pub name: String,
    /// The action is not done before this time; none if it is due at once.
    pub due_at: Option<Timestamp>,
    /// The user who has it done, of whom a few are done at once, so that one user's do not hold up those of others; none if the
    /// system does it of itself.
    pub owner_id: Option<UserId>,
    /// What it is about, if one action is enough for several events.
    pub about: Option<About>,
    /// What is done.
    pub what: What,
}

/// What several actions of a reactor are about, of which one is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What they are about.
    pub what: String,
    /// Which of them is done.
    pub done: Done,
}

/// Which of several actions about the same is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The first, which looks how things are when it is tried. The others are left out while it waits and nobody has tried it yet.
    First {
        /// How long it waits for others after it was stored, unless it has a due time.
        wait_s: u32,
    },
    /// The one that follows from the newest event, which alone says how things are. It takes the place of those that wait, but for
    /// one that is under way.
    Newest,
}

/// What an action does. A body holds ids and sealed values, and no personal data in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A command is posted to the command API. It acts once, however often it is posted.
    Command {
        /// The path.
        path: String,
        /// The body; none if the command takes none.
        body: Option<Value>,
    },
    /// Something is done outside, at least once. What came of it is then posted as a command.
    Effect {
        /// The name of the effect, for ever.
        name: String,
        /// Where it acts, such as a host; empty if the effect has one destination. Each destination has a bound of its own.
        destination: String,
        /// What it is done with.
        body: Value,
    },
}

impl What {
    /// A command without a body.
    #[must_use]
    pub const fn command(path: String) -> Self {
        Self::Command { path, body: None }
    }
}

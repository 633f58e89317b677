//! Answering events with commands and effects: a reactor stores the actions that a process manager asks for, and
//! senders do what is due.

pub(crate) mod effects;
mod endings;
pub(crate) mod given_up;
pub(crate) mod presence;
pub(crate) mod reactor;
pub(crate) mod registration;
pub(crate) mod sender;
pub(crate) mod waking;

mod actions;
mod answer;
mod attempts;
mod command_client;
mod destinations;
mod due;
mod owners;
mod reaction;
mod turns;
mod unanswered;

#[cfg(test)]
mod tests;

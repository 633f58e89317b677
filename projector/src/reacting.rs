//! Answering events with commands: a reactor stores the actions that a process manager asks for, and
//! a sender sends them to the command API when they are due.

pub(crate) mod given_up;
pub(crate) mod reactor;
pub(crate) mod registration;
pub(crate) mod sender;

mod actions;
mod answer;
mod reaction;
mod unanswered;

#[cfg(test)]
mod tests;

//! Generations that are built beside those that serve: putting them in their place, and what operators do to them.

pub(crate) mod controller;
mod deployment;
mod dropping;
pub(crate) mod progress;

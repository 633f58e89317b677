//! Bad bodies: one thing is wrong at one place of a body that a route would accept.

mod attempts;
mod edits;
mod structure;
mod values;

//! Bad bodies: one value is wrong in a body that the route would accept otherwise.

mod attempts;
mod edits;
mod structure;
mod values;

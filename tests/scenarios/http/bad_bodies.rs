//! Bad bodies: one value, or several, are wrong in a body that the route would accept otherwise.

mod attempts;
mod edits;
mod several_faults;
mod structure;
mod values;

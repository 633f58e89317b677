//! Read models about people.

pub mod profile;

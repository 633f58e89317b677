//! What can be asked about people.

pub mod profile;

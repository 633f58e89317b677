//! What can be asked about the log itself.

pub mod history;

//! The process managers of media.

pub mod media_keeper;

//! The effects of media: bytes are removed that are not needed any more.

pub(crate) mod removal;

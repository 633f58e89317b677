//! The effects that tell people something.

pub(crate) mod mail;

mod smtp;
mod text;

//! The effects that tell people something.

pub(crate) mod mail;
pub(crate) mod sms;

mod delivery;
mod digest;
mod provider;
mod smtp;
mod text;
mod words;

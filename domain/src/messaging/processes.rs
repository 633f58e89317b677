//! What follows from events by telling people of them.

pub mod mailer;
pub mod notifier;

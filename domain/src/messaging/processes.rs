//! What follows from events by telling people of them.

pub mod auction_notifier;
pub mod digest_timer;
pub mod mailer;
pub mod notifier;
pub mod task_notifier;
pub mod texter;

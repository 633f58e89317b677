//! The process managers of this context.

pub mod auction_timer;

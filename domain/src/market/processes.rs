//! Process managers: which actions follow from an event. They are pure; the projector's reactors store
//! the actions and send them.

pub mod auction_timer;

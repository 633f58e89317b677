//! Process managers: which actions follow from a fact. Pure; a reactor stores and sends them.

pub mod auction_timer;

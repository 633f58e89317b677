//! What became of the slots and runs of tasks, by the log and by the receivers that were called.

mod calls;
mod slots;

pub(crate) use calls::lost_or_repeated as calls_lost_or_repeated;
pub(crate) use slots::lost_or_repeated as slots_lost_or_repeated;

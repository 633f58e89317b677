//! The process managers of tasks.

pub mod task_caller;
pub mod task_clock;

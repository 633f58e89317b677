//! Read models of tasks and their runs.

pub mod task;
pub mod task_health;
pub mod task_run;

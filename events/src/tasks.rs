//! Events of tasks: calls of a URL that users schedule, and the runs of these tasks.

pub mod task;
pub mod task_run;

//! Tasks: calls of a URL that users schedule, and the runs of these tasks.

pub mod definition;
pub mod destination;
pub mod processes;
pub mod schedule;
pub mod task;
pub mod task_run;

//! Sharing the work among all projectors: what there is to run, and which process runs it under a
//! lease.

pub(crate) mod assignment;
pub(crate) mod assignment_runner;
pub(crate) mod list;

mod lease_snapshot;
mod presence;

//! Sharing the work among all projectors: what there is to run, what each of them can run, and which process
//! runs it under a lease.

pub(crate) mod assignment;
pub(crate) mod assignment_runner;
pub(crate) mod build;
pub(crate) mod snapshot;

mod distribution;
mod presence;

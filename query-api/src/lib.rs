//! The query API: read models, live updates and the audit trail over HTTP. It may only select; what
//! must be put on record it sends to the command API.

mod answer;
mod app;
mod error;
mod recorder;
mod routes;
mod run;
mod snapshot;
mod watch;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use run::{StartError, run};

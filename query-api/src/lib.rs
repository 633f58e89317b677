//! The query API: serves read models, live updates and the audit trail over HTTP. It only selects: what
//! must be put on record, it sends to the command API.

mod app;
mod documents;
mod downloads;
mod error;
mod freshness;
mod live;
mod pools;
mod reading_recorder;
mod routes;
mod run;
mod start_error;
mod watcher;

#[cfg(test)]
mod tests;

pub use routes::api;
pub use run::run;
pub use start_error::StartError;

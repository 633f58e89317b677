//! What every process shares: configuration, the clock, ids, telemetry, the conventions of HTTP,
//! authentication and shutdown. It knows nothing of events, commands or read models.

pub mod auth;
pub mod clock;
pub mod config;
pub mod database;
#[cfg(feature = "failpoints")]
mod failpoints;
pub mod fair_semaphore;
pub mod http;
pub mod ids;
pub mod media_store;
pub mod middleware;
pub mod object_store;
pub mod openapi;
pub mod ops;
pub mod pagination;
pub mod patient_work;
mod schemas;
pub mod server;
pub mod shares;
pub mod shutdown;
pub mod telemetry;
pub mod tidemark;
pub mod turns;

pub use config::Config;

#[cfg(test)]
mod testing;

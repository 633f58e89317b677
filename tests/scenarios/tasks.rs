//! Tasks: what users have called, against real servers.

mod answers;
mod bounds;
mod calls;
mod changes;
mod log;
mod overlap;
mod pauses;
mod receiver;
mod routes;
mod schedules;
mod takeover;

pub(crate) use receiver::cancelled_run;
pub(crate) use routes::routes;

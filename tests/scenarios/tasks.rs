//! Tasks: what users have called, against real servers.

mod calls;
mod receiver;
mod routes;
mod schedules;

pub(crate) use receiver::cancelled_run;
pub(crate) use routes::routes;

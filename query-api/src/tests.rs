//! This API over a real Postgres, with rows as a projector leaves them.

mod audit;
mod consistency;
mod lists;
mod live;

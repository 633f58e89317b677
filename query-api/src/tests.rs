//! Tests of this API over a real Postgres, with rows as a projector leaves them.

mod audit;
mod freshness;
mod harness;
mod hot_documents;
mod lists;
mod live;
mod live_inbox;

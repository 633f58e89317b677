//! What can be asked: one file a read model, with its row and its pure fold; and their storage in
//! Postgres and Redis. It follows nothing by itself: workers of the projector drive it.

mod model;

pub mod auction;
pub mod bid;
pub mod category;
pub mod history;
pub mod product;
pub mod profile;
pub mod redis;
pub mod schema;
pub mod storage;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use model::{Fact, ReadModel, Wanted};

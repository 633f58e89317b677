//! What can be asked: one file a read model, with its row and its pure fold; and their storage in
//! Postgres and Redis. It follows nothing by itself: workers of the projector drive it.

mod model;
mod shard;

pub mod redis;
pub mod schema;
pub mod storage;

pub mod audit;
pub mod identity;
pub mod market;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use model::{EventFilter, FoldInput, ReadModel};
pub use shard::{Shard, divide};

/// The one list of read models: an array of what a generic call gives for each.
/// `for_each_read_model!(name(arguments))` calls `name::<M>(arguments)`; more may follow, such as `.await`.
#[macro_export]
macro_rules! for_each_read_model {
    ($name:ident $($call:tt)+) => {
        [
            $name::<$crate::market::auction::Auction> $($call)+,
            $name::<$crate::market::bid::Bid> $($call)+,
            $name::<$crate::market::category::Category> $($call)+,
            $name::<$crate::audit::history::History> $($call)+,
            $name::<$crate::market::product::Product> $($call)+,
            $name::<$crate::identity::profile::Profile> $($call)+,
        ]
    };
}

//! The read models of Tidemark, and their storage in Postgres and Redis. Each read model is in one file
//! with its row and its pure fold.
//!
//! Nothing here follows the log: the workers of the projector do, and call what is here.

mod column;
mod generation;
mod model;
mod shard;

pub mod building;
pub mod comparison;
pub mod notification;
pub mod redis;
pub mod schema;
pub mod storage;

pub mod audit;
pub mod identity;
pub mod market;
pub mod media;
pub mod messaging;
#[cfg(feature = "next-build")]
pub mod next_build;
pub mod operations;
pub mod tasks;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use column::{Column, Search, Value};
pub use generation::{FollowedGeneration, Generation, divide};
pub use model::{EventFilter, FoldInput, ReadModel, RowOf};
pub use shard::Shard;

/// The one list of read models. `for_each_read_model!(name(arguments))` calls `name::<M>(arguments)` for each
/// read model `M` and gives an array of the results; more may follow the call, such as `.await`.
#[macro_export]
macro_rules! for_each_read_model {
    ($name:ident $($call:tt)+) => {
        $crate::of_this_build!([
            $name::<$crate::market::auction::Auction> $($call)+,
            $name::<$crate::market::bid::Bid> $($call)+,
            $name::<$crate::market::category::Category> $($call)+,
            $name::<$crate::messaging::delivery::Delivery> $($call)+,
            $name::<$crate::audit::history::History> $($call)+,
            $name::<$crate::media::media::Media> $($call)+,
            $name::<$crate::messaging::inbox::Inbox> $($call)+,
            $name::<$crate::messaging::notification::Notification> $($call)+,
            $name::<$crate::messaging::preferences::Preferences> $($call)+,
            $name::<$crate::market::product::Product> $($call)+,
            $name::<$crate::identity::profile::Profile> $($call)+,
            $name::<$crate::messaging::suppression::Suppression> $($call)+,
            $name::<$crate::tasks::task::Task> $($call)+,
            $name::<$crate::tasks::task_health::TaskHealth> $($call)+,
            $name::<$crate::tasks::task_run::TaskRun> $($call)+,
            $name::<$crate::messaging::template::Template> $($call)+,
            $name::<$crate::market::watch::Watch> $($call)+,
        ], $name $($call)+)
    };
}

/// The calls as they are.
#[doc(hidden)]
#[cfg(not(feature = "next-build"))]
#[macro_export]
macro_rules! of_this_build {
    ($calls:expr, $($more:tt)+) => {
        $calls
    };
}

/// The calls, and that of the read model which only the next build has.
#[doc(hidden)]
#[cfg(feature = "next-build")]
#[macro_export]
macro_rules! of_this_build {
    ([$($calls:expr,)+], $name:ident $($call:tt)+) => {
        [$($calls,)+ $name::<$crate::next_build::StreamLength> $($call)+]
    };
}

/// The name of each read model, with the version of its fold in this build.
#[must_use]
pub fn folds() -> Vec<(&'static str, i32)> {
    for_each_read_model!(fold()).into()
}

const fn fold<M: ReadModel>() -> (&'static str, i32) {
    (M::NAME, M::FOLD_VERSION)
}

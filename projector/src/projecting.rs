//! Keeping read models: a worker folds the log into the rows of one shard in Postgres, and a Redis
//! writer copies what changed into documents.

pub(crate) mod catch_up;
pub(crate) mod joint_writer;
pub(crate) mod shards;
pub(crate) mod worker_factory;

mod build_id;
mod fold;
pub(crate) mod made_row;
mod ordered_row;
mod parking;
mod redis_writer;
mod remaking;
mod rows;
mod skips;
mod worker;

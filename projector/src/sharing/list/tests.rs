//! What there is to run, on a real Postgres.

use std::sync::Arc;

use tidemark_domain::PROCESS_MANAGERS;

use super::*;
use crate::testing::{Database, GENERATION};

fn workers(database: &Database, shards: &[(&str, i32)]) -> WorkerFactory {
    let count = |(name, shards): &(&str, i32)| ((*name).to_owned(), *shards);
    WorkerFactory {
        pool: database.pool.clone(),
        documents: None,
        shards: shards.iter().map(count).collect(),
        config: database.config(&[]),
        actions_stored: Arc::default(),
    }
}

/// The leases of all assignments, where a configuration wants these numbers of shards.
async fn leases(database: &Database, shards: &[(&str, i32)]) -> Vec<String> {
    let workers = workers(database, shards);
    let assignments = assignments(&workers, PROCESS_MANAGERS).await.unwrap();
    assignments.into_iter().map(|it| it.lease).collect()
}

#[tokio::test]
async fn the_first_projector_divides_read_models_and_later_ones_keep_the_division() {
    let database = Database::new("divide").await;
    let first = leases(&database, &[("auction", 3)]).await;
    assert_eq!(database.checkpoints("auction").await, [0, 0, 0]);
    assert_eq!(database.checkpoints("bid").await, [0]);
    assert_eq!(
        leases(&database, &[("auction", 2), ("bid", 2)]).await,
        first
    );
    assert_eq!(leases(&database, &[]).await, first);
    let read_models = for_each_read_model!(lease_of_first_shard()).len();
    assert_eq!(first.len(), read_models + 2 + PROCESS_MANAGERS.len());
    let seconds = first
        .iter()
        .position(|lease| lease == "projection:auction:1:1");
    assert_eq!(
        seconds,
        Some(read_models),
        "second shards come after all first shards"
    );
}

fn lease_of_first_shard<M: ReadModel>() -> String {
    shard_lease(
        M::NAME,
        GENERATION,
        Shard {
            number: 0,
            count: 1,
        },
    )
}

//! Documents count by `INCR` instead of being written whole, and a batch is delivered again.

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tidemark_events::Recorded;
use tidemark_tests::replay::Rows;

use super::support::{evidence, log};
use super::{Caught, World};
use crate::check::models;
use crate::servers::{Options, Redis};
use crate::stack::until;
use crate::supervisor::Supervisor;

const LENGTH: i64 = 100;
const BATCH: usize = 10;
/// The batch whose checkpoint is not written.
const DIES_IN: usize = 4;
const CHECKPOINT: &str = "@checkpoint";

pub(super) async fn run(mut world: World) -> Caught {
    let supervisor = Supervisor::new();
    std::fs::create_dir_all(&world.directory).unwrap();
    let redis = Redis::start(&supervisor, &world.directory, &Options::default());
    until("Redis", || redis.is_ready()).await;
    let mut connection = redis.connect().await.unwrap();
    let log = log(&mut world.rng, LENGTH);
    count(&mut connection, &log, Some(DIES_IN)).await;
    count(&mut connection, &log, None).await;
    let mut documents = Rows::new();
    for event in &log {
        let counted: String = connection.get(event.stream_id.to_string()).await.unwrap();
        documents.insert(event.stream_id, (event.position, counted));
    }
    let once = |event: &Recorded| (event.stream_id, (event.position, "1".to_owned()));
    let replayed: Rows = log.iter().map(once).collect();
    let evidence = evidence(log, "counts", replayed.clone(), replayed, Some(documents));
    Caught::new("I9", models::unlike(&evidence))
}

async fn count(connection: &mut MultiplexedConnection, log: &[Recorded], dies_in: Option<usize>) {
    let from: Option<usize> = connection.get(CHECKPOINT).await.unwrap();
    for (number, batch) in log[from.unwrap_or(0)..].chunks(BATCH).enumerate() {
        for event in batch {
            // The mistake: done twice, it is not as if done once.
            let _: i64 = connection
                .incr(event.stream_id.to_string(), 1)
                .await
                .unwrap();
        }
        if dies_in == Some(number) {
            return;
        }
        let last = batch[batch.len() - 1].position;
        let _: () = connection.set(CHECKPOINT, last).await.unwrap();
    }
}

//! Documents are counted up by `INCR` instead of written whole, and a batch of events comes again.

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tidemark_events::Recorded;
use tidemark_tests::replay::Rows;

use super::support::{log, observed};
use super::{Outcome, Setup};
use crate::invariants::read_models;
use crate::servers::{Redis, ServerOptions};
use crate::supervisor::Supervisor;
use crate::wait::wait_until;

const LENGTH: i64 = 100;
const BATCH: usize = 10;
/// The number of the batch whose checkpoint is not written.
const DIES_IN: usize = 4;
const CHECKPOINT: &str = "@checkpoint";

pub(super) async fn run(mut setup: Setup) -> Outcome {
    let supervisor = Supervisor::new();
    let redis = Redis::start(&supervisor, &setup.directory, &ServerOptions::default());
    wait_until("Redis is ready", || redis.is_ready()).await;
    let mut connection = redis.connect().await.unwrap();
    let log = log(&mut setup.rng, LENGTH);
    count(&mut connection, &log, Some(DIES_IN)).await;
    count(&mut connection, &log, None).await;
    let mut documents = Rows::new();
    for event in &log {
        let counted: String = connection.get(event.stream_id.to_string()).await.unwrap();
        documents.insert(event.stream_id, (event.position, counted));
    }
    let once = |event: &Recorded| (event.stream_id, (event.position, "1".to_owned()));
    let replayed: Rows = log.iter().map(once).collect();
    let observed = observed(log, "counts", replayed.clone(), replayed, Some(documents));
    Outcome::Checked(read_models::unlike_replay(&observed))
}

async fn count(connection: &mut MultiplexedConnection, log: &[Recorded], dies_in: Option<usize>) {
    let from: Option<usize> = connection.get(CHECKPOINT).await.unwrap();
    for (number, batch) in log[from.unwrap_or(0)..].chunks(BATCH).enumerate() {
        for event in batch {
            // This is the mistake: an increment that is repeated counts twice.
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

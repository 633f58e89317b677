//! Redis loses documents: all of them, a bucket, a bucket's checkpoint, or everything with a
//! restart.

use std::fs;
use std::time::Duration;

use futures::FutureExt;
use redis::AsyncCommands;

use super::{Fault, Injection, Outcome};
use crate::invariants::observed::documents_behind;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new("flush-redis", "FLUSHALL in Redis", 3, |i| {
        flush_all(i).boxed()
    }),
    Fault::new(
        "evict-redis-bucket",
        "a bucket of documents is deleted from Redis",
        3,
        |i| evict_bucket(i).boxed(),
    ),
    Fault::new(
        "delete-redis-checkpoint",
        "the checkpoint of a bucket is deleted from Redis",
        3,
        |i| delete_checkpoint(i).boxed(),
    ),
    Fault::new(
        "restart-redis-empty",
        "Redis starts again without its data",
        3,
        |i| restart_empty(i).boxed(),
    ),
];

/// Until all documents are as new as the log again.
const REFILL: Duration = Duration::from_secs(10);

async fn flush_all(injection: Injection) -> Outcome {
    let mut redis = injection.stack.redis.connect().await.unwrap();
    let flushed: redis::RedisResult<String> = redis::cmd("FLUSHALL").query_async(&mut redis).await;
    flushed.unwrap();
    wait_for_documents(&injection).await
}

async fn evict_bucket(mut injection: Injection) -> Outcome {
    let mut redis = injection.stack.redis.connect().await.unwrap();
    let buckets: Vec<String> = redis.keys("*").await.unwrap();
    let bucket = injection.one_of(&buckets).clone();
    redis.del::<_, ()>(bucket).await.unwrap();
    wait_for_documents(&injection).await
}

async fn delete_checkpoint(mut injection: Injection) -> Outcome {
    let mut redis = injection.stack.redis.connect().await.unwrap();
    let buckets: Vec<String> = redis.keys("*").await.unwrap();
    let bucket = injection.one_of(&buckets).clone();
    redis.hdel::<_, _, ()>(bucket, "@checkpoint").await.unwrap();
    wait_for_documents(&injection).await
}

async fn restart_empty(injection: Injection) -> Outcome {
    let redis = &injection.stack.redis;
    redis.process.end();
    fs::remove_dir_all(&redis.data).unwrap();
    fs::create_dir_all(&redis.data).unwrap();
    redis.process.release();
    wait_until("Redis is ready again", || redis.is_ready()).await;
    wait_for_documents(&injection).await
}

/// Waits until Redis has all documents, and queries are answered.
pub(super) async fn wait_for_documents(injection: &Injection) -> Outcome {
    let stack = &injection.stack;
    let head = stack.head().await;
    let took = wait_until("Redis has all documents", || async {
        documents_behind(stack, head).await.is_empty()
    })
    .await;
    assert!(
        took < REFILL,
        "Redis had all documents only after {took:?}, not within {REFILL:?}"
    );
    Outcome::Recovered(took + injection.load.wait_for_answered_query().await)
}

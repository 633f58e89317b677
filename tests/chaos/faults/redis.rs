//! Redis forgets: all of it, a bucket, a checkpoint, a document, or everything with a restart.

use std::fs;
use std::time::Duration;

use futures::FutureExt;
use redis::AsyncCommands;

use super::{Episode, Fault, Outcome};
use crate::check::evidence;
use crate::stack::until;

/// Documents are as new as the log again.
const FILLED: Duration = Duration::from_secs(10);

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("f35-all", "Redis: FLUSHALL", 3, |e| flush(e).boxed()),
    Fault::new("f35-key", "Redis: a bucket is evicted", 3, |e| {
        evict(e).boxed()
    }),
    Fault::new("f35-checkpoint", "Redis: a checkpoint is deleted", 3, |e| {
        forget(e).boxed()
    }),
    Fault::new(
        "f35-empty",
        "Redis: starts again without its data",
        3,
        |e| restart_empty(e).boxed(),
    ),
];

async fn flush(episode: Episode) -> Outcome {
    let mut redis = episode.stack.redis.connect().await.unwrap();
    let done: redis::RedisResult<String> = redis::cmd("FLUSHALL").query_async(&mut redis).await;
    done.unwrap();
    filled(&episode).await
}

async fn evict(mut episode: Episode) -> Outcome {
    let mut redis = episode.stack.redis.connect().await.unwrap();
    let buckets: Vec<String> = redis.keys("*").await.unwrap();
    let bucket = episode.one_of(&buckets).clone();
    redis.del::<_, ()>(bucket).await.unwrap();
    filled(&episode).await
}

async fn forget(mut episode: Episode) -> Outcome {
    let mut redis = episode.stack.redis.connect().await.unwrap();
    let buckets: Vec<String> = redis.keys("*").await.unwrap();
    let bucket = episode.one_of(&buckets).clone();
    redis.hdel::<_, _, ()>(bucket, "@checkpoint").await.unwrap();
    filled(&episode).await
}

async fn restart_empty(episode: Episode) -> Outcome {
    let redis = &episode.stack.redis;
    redis.process.end();
    fs::remove_dir_all(&redis.data).unwrap();
    fs::create_dir_all(&redis.data).unwrap();
    redis.process.release();
    until("Redis", || redis.is_ready()).await;
    filled(&episode).await
}

async fn filled(episode: &Episode) -> Outcome {
    let stack = &episode.stack;
    let head = evidence::head(stack).await;
    let took = until("the documents", || async {
        evidence::documents_behind(stack, head).await.is_empty()
    })
    .await;
    assert!(took < FILLED, "documents were back only after {took:?}");
    Outcome::Recovered(took + episode.load.answers().await)
}

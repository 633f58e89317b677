//! A Redis that runs and is of no use: it takes no documents, or answers nothing.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::timeout;

use super::recovery::assert_fast_queries;
use super::redis::wait_for_documents;
use super::{Fault, Injection, Outcome};
use crate::invariants::observed::documents_behind;
use crate::load::Tally;
use crate::supervisor::Signal;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "fill-redis",
        "Redis has no memory for documents for 10 s",
        5,
        |i| fill(i).boxed(),
    ),
    Fault::new("hang-redis", "Redis answers nothing for 10 s", 5, |i| {
        hang(i).boxed()
    }),
];

/// For how long queries are measured before.
const BEFORE: Duration = Duration::from_secs(2);
/// For how long Redis is of no use.
const USELESS: Duration = Duration::from_secs(10);
/// A Redis that hangs has not answered after this time.
const SILENCE: Duration = Duration::from_millis(500);

/// How queries are before.
struct Usual {
    p99: Duration,
    tally: Tally,
}

/// What Redis holds grows old, and is not shown.
async fn fill(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let usual = Usual::of(&injection).await;
    stack.redis.limit_memory("1").await;
    injection.load.wait_for_accepted_command().await;
    let head = stack.head().await;
    let meanwhile = injection.load.p99_of_queries(USELESS).await;
    let behind = documents_behind(stack, head).await;
    stack.redis.limit_memory("0").await;
    assert!(!behind.is_empty(), "Redis took documents without memory");
    usual.assert_goes_on(&injection, meanwhile);
    wait_for_documents(&injection).await
}

/// Whoever asks Redis waits in vain, so only a few queries may.
async fn hang(injection: Injection) -> Outcome {
    let redis = &injection.stack.redis;
    let usual = Usual::of(&injection).await;
    redis.process.signal(Signal::Stop);
    let meanwhile = injection.load.p99_of_queries(USELESS).await;
    let answer = timeout(SILENCE, redis.is_ready()).await;
    redis.process.signal(Signal::Continue);
    assert!(answer.is_err(), "Redis answered while it was stopped");
    usual.assert_goes_on(&injection, meanwhile);
    wait_for_documents(&injection).await
}

impl Usual {
    async fn of(injection: &Injection) -> Self {
        Self {
            p99: injection.load.p99_of_queries(BEFORE).await,
            tally: injection.load.tally(),
        }
    }

    /// Fails unless all queries were answered since, and about as fast.
    fn assert_goes_on(&self, injection: &Injection, p99: Duration) {
        let meanwhile = injection.load.tally() - self.tally;
        assert_eq!(meanwhile.failed_reads, 0, "queries failed: {meanwhile:?}");
        assert_fast_queries(self.p99, p99);
    }
}

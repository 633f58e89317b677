//! A server that tasks call is away, or takes calls and says nothing. The others are called on time meanwhile.

use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::SLOWNESS;
use super::runs::Runs;
use super::{Fault, Injection, Outcome};
use crate::servers::Receiver;
use crate::supervisor::Signal;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "kill-receiver",
        "kill -9 of a server that tasks call, away for 3 to 10 s",
        10,
        |i| kill(i).boxed(),
    ),
    Fault::new(
        "hang-receiver",
        "a server that tasks call answers nothing for 10 s",
        10,
        |i| hang(i).boxed(),
    ),
];

/// For how long the server answers nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// Until a run succeeds that was requested after the server was back. It was left alone for a time that doubled while it was
/// away, so it may stay alone for as long as it was away.
const RUNS_RESUME: Duration = Duration::from_secs(20 * SLOWNESS);
/// How late a call of another server may be meanwhile.
const OTHERS_LATE_MAX: Duration = Duration::from_secs(SLOWNESS);

/// Runs that called a host and succeeded, and that were requested after a position.
const SUCCEEDED_SINCE: &str = "
    select count(*)
      from events requested
      join events ended
        on ended.stream_id = requested.stream_id
       and ended.type = 'task_run.succeeded'
     where requested.type = 'task_run.requested'
       and requested.data ->> 'host' = $2
       and requested.position > $1
";

async fn kill(mut injection: Injection) -> Outcome {
    let away = injection.between(Duration::from_secs(3), Duration::from_secs(10));
    let stack = injection.stack.clone();
    let receiver = injection.one_of(&stack.receivers);
    let head = stack.head().await;
    receiver.process.hold();
    receiver.process.kill();
    sleep(away).await;
    assert_others_on_time(&injection, receiver, head).await;
    receiver.process.release();
    wait_until("the receiver is ready again", || receiver.is_ready()).await;
    wait_for_runs(&injection, receiver).await
}

async fn hang(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let receiver = injection.one_of(&stack.receivers);
    let head = stack.head().await;
    receiver.process.signal(Signal::Stop);
    sleep(SILENCE).await;
    assert_others_on_time(&injection, receiver, head).await;
    receiver.process.signal(Signal::Continue);
    wait_for_runs(&injection, receiver).await
}

/// Fails if a run that was requested since a position called another server late.
async fn assert_others_on_time(injection: &Injection, silent: &Receiver, since: i64) {
    let runs = Runs::since(&injection.stack, since).await;
    for other in &injection.stack.receivers {
        if other.host == silent.host {
            continue;
        }
        let late = runs.delays(other).max().unwrap_or_default();
        assert!(
            late < OTHERS_LATE_MAX,
            "{} was called {late:?} after a run was requested, not within {OTHERS_LATE_MAX:?}",
            other.host
        );
    }
}

async fn wait_for_runs(injection: &Injection, receiver: &Receiver) -> Outcome {
    let (stack, back_at) = (&injection.stack, Instant::now());
    let head = stack.head().await;
    wait_until("a run succeeds that was requested now", || async {
        let succeeded = sqlx::query_scalar::<_, i64>(SUCCEEDED_SINCE).bind(head);
        let succeeded = succeeded.bind(&receiver.host);
        succeeded.fetch_one(&stack.pool).await.unwrap() > 0
    })
    .await;
    let took = back_at.elapsed();
    assert!(
        took < RUNS_RESUME,
        "runs succeeded only after {took:?}, not within {RUNS_RESUME:?}"
    );
    Outcome::Recovered(took)
}

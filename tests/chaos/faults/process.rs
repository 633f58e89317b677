//! Processes that are killed, one or all of them, and told to end in turn.

use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::RngExt;
use rand::seq::SliceRandom;
use tokio::time::sleep;

use super::waits::{ALLOWANCE, PROJECTS, READY, RELAYS, SERVES};
use super::{Episode, Fault, Outcome};
use crate::stack::until;
use crate::supervisor::{Signal, send};

/// Of everything after everything was killed.
const ALL_READY: Duration = Duration::from_secs(45);
/// Starts of one process until everything that it needs is there.
const TRIES: u32 = 10;
/// A process that is told to end has ended.
const DRAINED: Duration = Duration::from_secs(21);
/// Latencies of queries are measured for so long before Redis is killed.
const LOOK: Duration = Duration::from_secs(2);
/// How much slower queries may be without it.
const SLOWER: u32 = 5;
/// Faster than this is no slower than normal.
const SOON: Duration = Duration::from_millis(50 * ALLOWANCE);
/// The backlog of an outage has been published.
const DRAINS: Duration = Duration::from_secs(30);

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault::new("f1", "kill -9 of a command API", 100, |e| {
        kill_api(e).boxed()
    }),
    Fault::new("f2", "kill -9 of the relay", 100, |e| kill_relay(e).boxed()),
    Fault::new("f3", "kill -9 of the projector", 100, |e| {
        kill_projector(e).boxed()
    }),
    Fault::new("f4", "kill -9 of a query API", 20, |e| {
        kill_query(e).boxed()
    }),
    Fault::new("f5", "kill -9 of Postgres and its backends", 20, |e| {
        kill_postgres(e).boxed()
    }),
    Fault::new("f6", "kill -9 of one backend of Postgres", 20, |e| {
        kill_backend(e).boxed()
    }),
    Fault::new("f7", "kill -9 of Kafka, away for 5 to 20 s", 20, |e| {
        kill_kafka(e).boxed()
    }),
    Fault::new("f8", "kill -9 of Redis, away for 2 to 5 s", 20, |e| {
        kill_redis(e).boxed()
    }),
    Fault::new("f9", "kill -9 of everything at once", 5, |e| {
        kill_all(e).boxed()
    }),
    Fault::new("f13", "three relays start at once", 3, |e| {
        three_relays(e).boxed()
    }),
    Fault::new("f47", "SIGTERM to each process in turn", 3, |e| {
        roll(e).boxed()
    }),
];

async fn kill_api(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let ready = episode.one_of(&stack.apis).kill().await;
    assert!(ready < READY, "ready only after {ready:?}");
    Outcome::Recovered(ready + episode.load.accepts().await)
}

async fn kill_relay(episode: Episode) -> Outcome {
    episode.stack.relays[0].process.kill();
    Outcome::Recovered(episode.relays(RELAYS).await)
}

async fn kill_projector(episode: Episode) -> Outcome {
    episode.stack.projectors[0].process.kill();
    Outcome::Recovered(episode.projects(PROJECTS).await)
}

async fn kill_query(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let ready = episode.one_of(&stack.queries).kill().await;
    assert!(ready < READY, "ready only after {ready:?}");
    Outcome::Recovered(ready + episode.load.answers().await)
}

async fn kill_postgres(episode: Episode) -> Outcome {
    let killed = Instant::now();
    let postgres = &episode.stack.postgres;
    let starts = postgres.process.starts();
    postgres.process.kill();
    until("Postgres", || async {
        postgres.process.starts() > starts && postgres.is_ready().await
    })
    .await;
    episode.accepts(SERVES).await;
    Outcome::Recovered(killed.elapsed())
}

/// Postgres ends all other backends too, since the one that was killed may have left the memory that
/// they share in any state.
async fn kill_backend(mut episode: Episode) -> Outcome {
    let backends: Vec<i32> = sqlx::query_scalar(
        "
        select pid
          from pg_stat_activity
         where usename like 'tidemark%'
         order by pid
        ",
    )
    .fetch_all(&episode.stack.pool)
    .await
    .unwrap();
    let killed = Instant::now();
    let pid = *episode.one_of(&backends);
    send(Signal::Kill, &[pid.try_into().unwrap()]);
    let postgres = &episode.stack.postgres;
    until("Postgres", || postgres.is_ready()).await;
    episode.accepts(SERVES).await;
    Outcome::Recovered(killed.elapsed())
}

/// Commands and queries go on as if nothing had happened.
async fn kill_kafka(mut episode: Episode) -> Outcome {
    let away = episode.between(Duration::from_secs(5), Duration::from_secs(20));
    let (stack, before) = (episode.stack.clone(), episode.load.tally());
    stack.kafka.process.hold();
    stack.kafka.process.kill();
    sleep(away).await;
    episode.load.accepts().await;
    let meanwhile = episode.load.tally() - before;
    assert!(
        meanwhile.unknown == 0 && meanwhile.unavailable == 0,
        "requests were not answered without Kafka: {meanwhile:?}"
    );
    stack.kafka.process.release();
    until("Kafka", || stack.kafka.is_ready()).await;
    Outcome::Recovered(episode.relays(DRAINS).await)
}

/// Queries are answered from the rows.
async fn kill_redis(mut episode: Episode) -> Outcome {
    let away = episode.between(LOOK, Duration::from_secs(5));
    let redis = &episode.stack.redis;
    let normal = episode.load.p99_of_queries(LOOK).await;
    redis.process.hold();
    redis.process.kill();
    episode.load.answers().await;
    let without = episode.load.p99_of_queries(away).await;
    assert!(
        without <= normal.max(SOON) * SLOWER,
        "99 of 100 queries took {without:?} without Redis, {normal:?} before"
    );
    redis.process.release();
    let ready = until("Redis", || redis.is_ready()).await;
    Outcome::Recovered(ready + episode.load.answers().await)
}

async fn kill_all(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let mut all = stack.all();
    all.retain(|process| !process.is_held());
    for process in &all {
        process.hold();
    }
    all.shuffle(&mut episode.rng);
    for process in &all {
        process.kill();
    }
    all.shuffle(&mut episode.rng);
    let begun = Instant::now();
    for process in &all {
        until(process.name(), || async { process.pid().is_none() }).await;
        process.release();
        let pause = episode.rng.random_range(0..500);
        sleep(Duration::from_millis(pause)).await;
    }
    stack.ready().await;
    episode.load.accepts().await;
    episode.projects(ALL_READY).await;
    for process in all {
        let tries = process.died_young();
        let name = process.name();
        assert!(
            tries < TRIES,
            "{name} ended {tries} times before it was ready"
        );
    }
    Outcome::Recovered(begun.elapsed())
}

/// One leads, the others wait.
async fn three_relays(episode: Episode) -> Outcome {
    let relays = &episode.stack.relays;
    for relay in relays {
        relay.process.end();
    }
    for relay in relays {
        relay.process.release();
    }
    Outcome::Recovered(episode.relays(RELAYS).await)
}

/// As a deployment does it: another one of each is there before one goes.
async fn roll(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let before = episode.load.tally();
    for process in stack
        .processes()
        .filter(|process| process.process.is_held())
    {
        process.process.release();
    }
    stack.ready().await;
    for process in stack.processes() {
        let asked = Instant::now();
        process.stop().await;
        let took = asked.elapsed();
        let name = process.process.name();
        assert!(took < DRAINED, "{name} ended only after {took:?}");
        process.process.release();
        process.ready().await;
    }
    let meanwhile = episode.load.tally() - before;
    assert_eq!(
        meanwhile.insisted, 0,
        "one retry was not enough: {meanwhile:?}"
    );
    episode.load.accepts().await;
    Outcome::Recovered(episode.projects(PROJECTS).await)
}

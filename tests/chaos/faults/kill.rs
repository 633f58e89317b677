//! Processes and servers that are killed, one of them or all at once.

use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::RngExt;
use rand::seq::SliceRandom;
use tokio::time::sleep;

use super::recovery::{
    API_READY, COMMANDS_RESUME, PROJECTOR_RESUMES, RELAY_RESUMES, assert_fast_queries,
};
use super::{Fault, Injection, Outcome};
use crate::supervisor::{Signal, send};
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new("kill-command-api", "kill -9 of a command API", 100, |i| {
        kill_command_api(i).boxed()
    }),
    Fault::new("kill-relay", "kill -9 of the relay", 100, |i| {
        kill_relay(i).boxed()
    }),
    Fault::new("kill-projector", "kill -9 of the projector", 100, |i| {
        kill_projector(i).boxed()
    }),
    Fault::new("kill-query-api", "kill -9 of a query API", 20, |i| {
        kill_query_api(i).boxed()
    }),
    Fault::new(
        "kill-postgres",
        "kill -9 of Postgres and its backends",
        20,
        |i| kill_postgres(i).boxed(),
    ),
    Fault::new(
        "kill-postgres-backend",
        "kill -9 of one backend of Postgres",
        20,
        |i| kill_postgres_backend(i).boxed(),
    ),
    Fault::new(
        "kill-kafka",
        "kill -9 of Kafka, away for 5 to 20 s",
        20,
        |i| kill_kafka(i).boxed(),
    ),
    Fault::new(
        "kill-redis",
        "kill -9 of Redis, away for 2 to 5 s",
        20,
        |i| kill_redis(i).boxed(),
    ),
    Fault::new(
        "kill-everything",
        "kill -9 of all servers and processes at once",
        5,
        |i| kill_everything(i).boxed(),
    ),
];

/// Until read models are followed again after everything was killed.
const EVERYTHING_RESUMES: Duration = Duration::from_secs(45);
/// How often a process may die before everything that it needs is there.
const EARLY_DEATHS_MAX: u32 = 10;
/// For how long queries are measured before Redis is killed.
const MEASURE: Duration = Duration::from_secs(2);
/// Until the relay publishes again after Kafka was away.
const RELAY_RESUMES_AFTER_KAFKA: Duration = Duration::from_secs(30);

async fn kill_command_api(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let ready = injection.one_of(&stack.command_apis).kill_and_wait().await;
    assert_ready_in_time(ready);
    Outcome::Recovered(ready + injection.load.wait_for_accepted_command().await)
}

async fn kill_relay(injection: Injection) -> Outcome {
    injection.stack.relays[0].supervised.kill();
    Outcome::Recovered(injection.wait_for_relay(RELAY_RESUMES).await)
}

async fn kill_projector(injection: Injection) -> Outcome {
    injection.stack.projectors[0].supervised.kill();
    Outcome::Recovered(injection.wait_for_read_models(PROJECTOR_RESUMES).await)
}

async fn kill_query_api(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let ready = injection.one_of(&stack.query_apis).kill_and_wait().await;
    assert_ready_in_time(ready);
    Outcome::Recovered(ready + injection.load.wait_for_answered_query().await)
}

fn assert_ready_in_time(ready: Duration) {
    assert!(
        ready < API_READY,
        "the API was ready only after {ready:?}, not within {API_READY:?}"
    );
}

async fn kill_postgres(injection: Injection) -> Outcome {
    let killed_at = Instant::now();
    let postgres = &injection.stack.postgres;
    let starts = postgres.process.starts();
    postgres.process.kill();
    wait_until("Postgres is ready again", || async {
        postgres.process.starts() > starts && postgres.is_ready().await
    })
    .await;
    injection.wait_for_commands(COMMANDS_RESUME).await;
    Outcome::Recovered(killed_at.elapsed())
}

/// Postgres then ends all other backends too, because the killed one may have left the memory that
/// they share in any state.
async fn kill_postgres_backend(mut injection: Injection) -> Outcome {
    let backends: Vec<i32> = sqlx::query_scalar(
        "
        select pid
          from pg_stat_activity
         where usename like 'tidemark%'
         order by pid
        ",
    )
    .fetch_all(&injection.stack.pool)
    .await
    .unwrap();
    let killed_at = Instant::now();
    let pid = *injection.one_of(&backends);
    send(Signal::Kill, &[pid.try_into().unwrap()]);
    let postgres = &injection.stack.postgres;
    wait_until("Postgres is ready again", || postgres.is_ready()).await;
    injection.wait_for_commands(COMMANDS_RESUME).await;
    Outcome::Recovered(killed_at.elapsed())
}

/// While Kafka is away, commands and queries go on as if nothing had happened.
async fn kill_kafka(mut injection: Injection) -> Outcome {
    let away = injection.between(Duration::from_secs(5), Duration::from_secs(20));
    let (stack, before) = (injection.stack.clone(), injection.load.tally());
    stack.kafka.process.hold();
    stack.kafka.process.kill();
    sleep(away).await;
    injection.load.wait_for_accepted_command().await;
    let meanwhile = injection.load.tally() - before;
    assert!(
        meanwhile.unanswered == 0 && meanwhile.unavailable == 0,
        "requests failed while Kafka was away: {meanwhile:?}"
    );
    stack.kafka.process.release();
    wait_until("Kafka is ready again", || stack.kafka.is_ready()).await;
    Outcome::Recovered(injection.wait_for_relay(RELAY_RESUMES_AFTER_KAFKA).await)
}

/// While Redis is away, queries are answered from the rows in Postgres.
async fn kill_redis(mut injection: Injection) -> Outcome {
    let away = injection.between(MEASURE, Duration::from_secs(5));
    let redis = &injection.stack.redis;
    let before = injection.load.p99_of_queries(MEASURE).await;
    redis.process.hold();
    redis.process.kill();
    injection.load.wait_for_answered_query().await;
    let without = injection.load.p99_of_queries(away).await;
    assert_fast_queries(before, without);
    redis.process.release();
    let ready = wait_until("Redis is ready again", || redis.is_ready()).await;
    Outcome::Recovered(ready + injection.load.wait_for_answered_query().await)
}

async fn kill_everything(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let mut all = stack.everything();
    all.retain(|process| !process.is_held());
    for process in &all {
        process.hold();
    }
    all.shuffle(&mut injection.rng);
    for process in &all {
        process.kill();
    }
    all.shuffle(&mut injection.rng);
    let started = Instant::now();
    for process in &all {
        let what = format!("{} has ended", process.name());
        wait_until(&what, || async { process.pid().is_none() }).await;
        process.release();
        let pause = injection.rng.random_range(0..500);
        sleep(Duration::from_millis(pause)).await;
    }
    stack.ready().await;
    injection.load.wait_for_accepted_command().await;
    injection.wait_for_read_models(EVERYTHING_RESUMES).await;
    for process in all {
        let (name, deaths) = (process.name(), process.early_deaths());
        assert!(
            deaths < EARLY_DEATHS_MAX,
            "{name} died {deaths} times before it was ready"
        );
    }
    Outcome::Recovered(started.elapsed())
}

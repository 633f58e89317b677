//! Too much at once: many more clients than usual, a snapshot of the database that is kept for long.

use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::join_all;
use sqlx::{Connection, Executor, PgConnection};
use tidemark_tests::process::resident_kib;
use tokio::time::{sleep, timeout};

use super::waits::{PROJECTS, SERVES};
use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::load::p99;

/// For how long it is too much.
const CROWDED: Duration = Duration::from_mins(1);
/// Clients that then bid without a pause.
const CROWD: usize = 1_024;
/// Clients that bid as fast as bids can be taken, and no faster.
const ENOUGH: usize = 64;
/// How many of the bids that can be taken are taken when there are too many, of 100.
const GOODPUT: u64 = 80;
/// What a command API may grow by meanwhile.
const GROWN_KIB: u64 = 256 * 1024;
/// An accepted bid is answered in this time, 99 of 100 times.
const ANSWERED: Duration = Duration::from_secs(2);
/// For how long the snapshot is kept.
const KEPT: Duration = Duration::from_secs(30);
/// The rate of commands is measured for so long before.
const BEFORE: Duration = Duration::from_secs(5);

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "f41",
        title: "a REPEATABLE READ transaction is open for long",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| snapshot(episode).boxed(),
    },
    Fault {
        id: "f46",
        title: "overload by a thousand bidders",
        full: 3,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| overload(episode).boxed(),
    },
];

async fn accepted_a_second(episode: &Episode, duration: Duration) -> f64 {
    let (before, begun) = (episode.load.tally(), Instant::now());
    sleep(duration).await;
    let accepted = (episode.load.tally() - before).accepted;
    f64::from(u32::try_from(accepted).unwrap()) / begun.elapsed().as_secs_f64()
}

/// As a backup does. Appends keep half of their speed at least.
async fn snapshot(episode: Episode) -> Outcome {
    let before = accepted_a_second(&episode, BEFORE).await;
    let url = episode.stack.postgres.url("postgres");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for sql in [
        "begin transaction isolation level repeatable read",
        "select count(*) from events",
    ] {
        connection.execute(sql).await.unwrap();
    }
    let meanwhile = accepted_a_second(&episode, KEPT).await;
    connection.execute("rollback").await.unwrap();
    assert!(
        meanwhile > before / 2.0,
        "{meanwhile:.0} commands/s beside a snapshot, {before:.0} before"
    );
    Outcome::Recovered(episode.accepts(SERVES).await)
}

/// What is too much is shed at once, what is accepted is answered soon, and nothing piles up.
async fn overload(episode: Episode) -> Outcome {
    let enough = bids(&episode, ENOUGH, BEFORE).await;
    let memory = memory_kib(&episode);
    let mut taken = bids(&episode, CROWD, CROWDED).await;
    let grown = memory_kib(&episode).saturating_sub(memory);
    let each_second = |taken: &[Duration], time: Duration| taken.len() as u64 / time.as_secs();
    let [most, meanwhile] = [each_second(&enough, BEFORE), each_second(&taken, CROWDED)];
    assert!(
        meanwhile * 100 >= most * GOODPUT,
        "{meanwhile} bids/s when there are too many, {most} when there are enough"
    );
    let p99 = p99(&mut taken).expect("bids are answered");
    assert!(
        p99 < ANSWERED,
        "99 of 100 bids were answered within {p99:?}"
    );
    assert!(grown < GROWN_KIB, "command APIs grew by {grown} KiB");
    let back = timeout(SERVES, episode.load.accepts()).await;
    let back = back.expect("commands are accepted soon after");
    Outcome::Recovered(back + episode.projects(PROJECTS * 4).await)
}

/// Bids of a crowd that were decided, whether taken or too low: how long each took.
async fn bids(episode: &Episode, crowd: usize, time: Duration) -> Vec<Duration> {
    let until = Instant::now() + time;
    let crowd = episode.load.crowd(crowd);
    let bidders = crowd.iter().map(|bidder| async move {
        let mut decided = Vec::new();
        while Instant::now() < until {
            let sent = Instant::now();
            match bidder.bid().await {
                Some(201 | 409) => decided.push(sent.elapsed()),
                // As one does who is told to come back later.
                Some(429 | 503) | None => sleep(Duration::from_secs(1)).await,
                Some(status) => panic!("answered {status}"),
            }
        }
        decided
    });
    join_all(bidders).await.into_iter().flatten().collect()
}

/// What the command APIs take.
fn memory_kib(episode: &Episode) -> u64 {
    let apis = episode.stack.apis.iter();
    let pids = apis.filter_map(|api| api.process.pid());
    pids.map(resident_kib).sum()
}

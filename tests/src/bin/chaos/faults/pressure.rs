//! Too much at once: many more clients than usual, a snapshot of the database that is kept for long.

use std::time::{Duration, Instant};

use futures::{FutureExt, future::join_all};
use sqlx::{Connection, Executor, PgConnection};
use tokio::time::{sleep, timeout};

use super::{
    Episode, Fault, Outcome, Topics, ordinary,
    waits::{PROJECTS, SERVES},
};

/// For how long it is too much.
const CROWD: Duration = Duration::from_secs(20);
/// Clients that bid without a pause.
const BIDDERS: usize = 1_024;
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

/// What is too much is shed at once, and what is accepted is answered soon.
async fn overload(episode: Episode) -> Outcome {
    let until = Instant::now() + CROWD;
    let crowd = episode.load.crowd(BIDDERS);
    let bidders = crowd.iter().map(|bidder| {
        async move {
            let mut taken = Vec::new();
            while Instant::now() < until {
                let sent = Instant::now();
                let status = bidder.bid().await;
                if status == Some(201) {
                    taken.push(sent.elapsed());
                } else if status != Some(409) {
                    // As one does who is told to come back later.
                    sleep(Duration::from_secs(1)).await;
                }
                assert!(
                    status.is_none_or(|status| status < 500 || status == 503),
                    "answered {status:?}"
                );
            }
            taken
        }
    });
    let mut taken: Vec<_> = join_all(bidders).await.into_iter().flatten().collect();
    taken.sort_unstable();
    assert!(!taken.is_empty(), "no bid was accepted");
    let p99 = taken[taken.len() * 99 / 100];
    assert!(
        p99 < ANSWERED,
        "99 of 100 bids were answered within {p99:?}"
    );
    let back = timeout(SERVES, episode.load.accepts()).await;
    let back = back.expect("commands are accepted soon after");
    Outcome::Recovered(back + episode.projects(PROJECTS * 4).await)
}

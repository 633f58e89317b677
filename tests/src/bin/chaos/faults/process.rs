//! Processes that are killed, paused, stopped and doubled.

use std::time::Duration;

use futures::FutureExt;

use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::stack::until;

/// An API is ready again after a kill.
const READY: Duration = Duration::from_secs(2);
/// A relay leads again after a kill: its lease, what it waits out, and a little.
const RESUMES: Duration = Duration::from_secs(8);
/// Read models are followed again after a kill of the projector.
const PROJECTS: Duration = Duration::from_secs(5);

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "f1",
        title: "kill -9 of the command API",
        full: 100,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| kill_api(episode).boxed(),
    },
    Fault {
        id: "f2",
        title: "kill -9 of the relay",
        full: 100,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| kill_relay(episode).boxed(),
    },
    Fault {
        id: "f3",
        title: "kill -9 of the projector",
        full: 100,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| kill_projector(episode).boxed(),
    },
];

async fn kill_api(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let api = episode.one_of(&stack.apis);
    let ready = api.kill().await;
    assert!(ready < READY, "ready only after {ready:?}");
    Outcome::Recovered(ready + episode.load.accepts().await)
}

async fn kill_relay(episode: Episode) -> Outcome {
    episode.stack.relays[0].process.kill();
    Outcome::Recovered(episode.relays(RESUMES).await)
}

async fn kill_projector(episode: Episode) -> Outcome {
    episode.stack.projectors[0].process.kill();
    Outcome::Recovered(episode.projects(PROJECTS).await)
}

impl Episode {
    /// Waits until the relay has confirmed what is in the log now.
    async fn relays(&self, bound: Duration) -> Duration {
        let sql = "select position from relay_progress";
        self.follows("the relay", sql, bound).await
    }

    /// Waits until every read model has applied what is in the log now.
    async fn projects(&self, bound: Duration) -> Duration {
        let sql = "select min(position) from checkpoints";
        self.follows("the projector", sql, bound).await
    }

    async fn follows(&self, what: &str, sql: &'static str, bound: Duration) -> Duration {
        let pool = &self.stack.pool;
        let head: i64 = sqlx::query_scalar("select position from log_head")
            .fetch_one(pool)
            .await
            .unwrap();
        let took = until(what, || async {
            let position: Option<i64> = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
            position >= Some(head)
        })
        .await;
        assert!(took < bound, "{what} followed only after {took:?}");
        took
    }
}

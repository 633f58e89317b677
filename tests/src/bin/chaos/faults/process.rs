//! Processes that are killed, paused, stopped and doubled.

use futures::FutureExt;

use super::{Episode, Fault, Outcome, ordinary};

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[Fault {
    id: "f1",
    title: "kill -9 of the command API",
    full: 100,
    layout: ordinary,
    inject: |episode| kill_api(episode).boxed(),
}];

async fn kill_api(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let api = episode.one_of(&stack.apis);
    api.kill().await;
    Outcome::Recovered(episode.load.accepts().await)
}

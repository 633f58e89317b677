//! Crashes at the points where they hurt most: between a commit and the answer to it, between a
//! delivery and the note of it. Inside of our code by the points that a build with the feature
//! `failpoints` has; on the wire by swallowing an answer and killing who waits for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::RngExt;
use tidemark_tests::proxy::{Direction, Fault as Trouble};

use super::network::back;
use super::network::link::Link;
use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::stack::{Process, Stack, until};

/// Where the binaries with the points are, beside those without.
const BINARIES: &str = "failpoints";
/// How often a point is passed at most before it is hit.
const PASSES: u32 = 60;
/// One that is passed only now and then, and how often.
const RARE: &str = "refresh_unanswered";
const RARE_PASSES: u32 = 4;

macro_rules! points {
    ($($id:literal $title:literal $inject:expr;)*) => {
        /// The faults of this kind.
        pub(crate) const FAULTS: &[Fault] = &[$(Fault {
            id: $id,
            title: $title,
            full: 20,
            layout: ordinary,
            topics: Topics::Exact,
            inject: |episode| $inject(episode).boxed(),
        }),*];
    };
}

points! {
    "append-before" "the API dies before an append"
        |episode| crash(episode, Who::Api, "append_before", "panic");
    "append-sent" "the API dies with an append sent and its answer not read"
        |episode| swallow(episode, Link::ApiPostgres);
    "append-read" "the API dies with the answer to an append read and no client told"
        |episode| crash(episode, Who::Api, "append_unanswered", "panic");
    "append-half" "the API dies with half of an answer sent"
        |episode| crash(episode, Who::Api, "half_an_answer", "return");
    "auth-refreshed" "the API dies with a new refresh token stored and its owner not told"
        |episode| crash(episode, Who::Api, RARE, "panic");
    "relay-read" "the relay dies with a batch read"
        |episode| crash(episode, Who::Relay, "relay_read", "panic");
    "relay-queued" "the relay dies with a batch queued"
        |episode| crash(episode, Who::Relay, "relay_queued", "panic");
    "relay-delivered" "the relay dies with a batch delivered and its progress not saved"
        |episode| crash(episode, Who::Relay, "relay_unsaved", "panic");
    "relay-lost" "the relay loses its lease with a batch queued"
        lose_lease;
    "projector-polled" "the projector dies with events polled"
        |episode| crash(episode, Who::Projector, "projector_polled", "panic");
    "projector-inside" "the projector dies in a transaction"
        |episode| crash(episode, Who::Projector, "projector_in_transaction", "panic");
    "projector-committed" "the projector dies with rows committed and no document written"
        |episode| crash(episode, Who::Projector, "projector_committed", "panic");
    "projector-redis" "the projector dies with a script sent to Redis and its answer not read"
        |episode| swallow(episode, Link::ProjectorRedis);
}

#[derive(Clone, Copy)]
enum Who {
    Api,
    Relay,
    Projector,
}

/// Starts a process with a point armed, and waits until it has died of it.
async fn crash(mut episode: Episode, who: Who, point: &str, action: &str) -> Outcome {
    let stack = episode.stack.clone();
    let process = any(&mut episode, &stack, who);
    let most = if point == RARE { RARE_PASSES } else { PASSES };
    let passes = episode.rng.random_range(1..=most);
    let starts = process.process.starts();
    if let Err(skipped) = arm(process, &format!("{point}={passes}*off->{action}")) {
        return skipped;
    }
    // Once started so, and again when it has died.
    until("a crash", || async {
        process.process.starts() > starts + 1
    })
    .await;
    let died = Instant::now();
    stack.heal().await;
    back(&episode).await;
    Outcome::Recovered(died.elapsed())
}

/// The relay's lease is lost while it leads, again and again.
async fn lose_lease(mut episode: Episode) -> Outcome {
    let stack = episode.stack.clone();
    let relay = any(&mut episode, &stack, Who::Relay);
    let place = relay.logged();
    if let Err(skipped) = arm(relay, "relay_lease_lost=1*off->return") {
        return skipped;
    }
    until("a lost lease", || async {
        relay.log_since(place).contains("lease")
    })
    .await;
    let lost = Instant::now();
    stack.heal().await;
    back(&episode).await;
    Outcome::Recovered(lost.elapsed())
}

/// Swallows what a server answers, and kills whoever waits for it.
async fn swallow(mut episode: Episode, link: Link) -> Outcome {
    let stack = episode.stack.clone();
    let proxy = link.detour(&stack).await;
    back(&episode).await;
    let load = episode.between(Duration::ZERO, Duration::from_millis(500));
    tokio::time::sleep(load).await;
    let swallowed = proxy.counts().swallowed;
    proxy.set(Direction::Down, Trouble::BlackHole);
    until("an answer", || async {
        proxy.counts().swallowed > swallowed
    })
    .await;
    for process in link.processes(&stack) {
        process.process.kill();
    }
    let died = Instant::now();
    proxy.heal();
    back(&episode).await;
    Outcome::Recovered(died.elapsed())
}

/// One of those that run.
fn any<'a>(episode: &mut Episode, stack: &'a Stack, who: Who) -> &'a Process {
    let all = match who {
        Who::Api => &stack.apis,
        Who::Relay => &stack.relays,
        Who::Projector => &stack.projectors,
    };
    let running: Vec<_> = all
        .iter()
        .filter(|process| !process.process.is_held())
        .collect();
    episode.one_of::<&Process>(&running)
}

/// Kills a process, so that it is started again with points that do what `failpoints` says.
fn arm(process: &Process, failpoints: &str) -> Result<(), Outcome> {
    let binary = with_points(&process.process.program().command[0]);
    if !binary.exists() {
        let binary = binary.display();
        return Err(Outcome::Skipped(format!(
            "{binary} is not built: run ./dev chaos"
        )));
    }
    process.process.change(|program| {
        program.command[0] = binary.display().to_string();
        let (name, value) = ("FAILPOINTS".to_owned(), failpoints.to_owned());
        program.environment.insert(name, value);
    });
    process.process.kill();
    Ok(())
}

fn with_points(binary: &str) -> PathBuf {
    let binary = Path::new(binary);
    let directory = binary.parent().unwrap_or(Path::new("."));
    directory.join(BINARIES).join(binary.file_name().unwrap())
}

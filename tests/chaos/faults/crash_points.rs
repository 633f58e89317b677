//! Crashes at the points where they hurt most: between a commit and the answer to it, between a
//! delivery and the progress that says so. A point within a process is armed in a build with the
//! feature `failpoints`; a point on the wire is hit by swallowing a server's answer and killing the
//! process that waits for it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::RngExt;
use tidemark_tests::proxy::{Direction, Fault as ProxyFault};

use super::connection::link::Link;
use super::{Fault, Injection, Outcome};
use crate::stack::{Process, Stack};
use crate::wait::wait_until;

/// The directory of the binaries with failpoints, beside those without.
const BINARIES: &str = "failpoints";
/// How often a point is passed at most before the process dies there.
const PASSES_MAX: u32 = 60;
/// Points that are passed seldom: when a client refreshes its session, somebody is sent a mail, or a task calls its URL.
const RARE_POINTS: [&str; 3] = ["refreshed", MAIL_POINT, WEBHOOK_POINT];
const MAIL_POINT: &str = "projector_mail_performed";
const WEBHOOK_POINT: &str = "projector_webhook_performed";
const RARE_PASSES_MAX: u32 = 4;
/// How often a full run hits each point.
const TIMES: u32 = 20;

macro_rules! crash_points {
    ($($name:literal $description:literal $inject:expr;)*) => {
        pub(super) const FAULTS: &[Fault] = &[
            $(Fault::new($name, $description, TIMES, |i| $inject(i).boxed())),*
        ];
    };
}

crash_points! {
    "crash-before-append"
        "a command API dies before an append"
        |i| crash(i, Kind::CommandApi, "append_before", "panic");
    "crash-append-sent"
        "a command API dies with an append sent and its answer not read"
        |i| swallow_answer(i, Link::CommandApiToPostgres);
    "crash-append-answered"
        "a command API dies with the answer to an append read and no client told"
        |i| crash(i, Kind::CommandApi, "append_answered", "panic");
    "crash-mid-answer"
        "a command API dies with half of an HTTP answer sent"
        |i| crash(i, Kind::CommandApi, "half_an_answer", "return");
    "crash-after-refresh"
        "a command API dies with a new refresh token stored and its owner not told"
        |i| crash(i, Kind::CommandApi, "refreshed", "panic");
    "crash-relay-batch-read"
        "the relay dies with a batch read"
        |i| crash(i, Kind::Relay, "relay_read", "panic");
    "crash-relay-batch-queued"
        "the relay dies with a batch queued"
        |i| crash(i, Kind::Relay, "relay_queued", "panic");
    "crash-relay-batch-delivered"
        "the relay dies with a batch delivered and its progress not saved"
        |i| crash(i, Kind::Relay, "relay_unsaved", "panic");
    "lose-relay-lease"
        "the relay loses its lease with a batch queued"
        lose_lease;
    "crash-projector-polled"
        "the projector dies with events polled"
        |i| crash(i, Kind::Projector, "projector_polled", "panic");
    "crash-projector-in-transaction"
        "the projector dies in a transaction"
        |i| crash(i, Kind::Projector, "projector_in_transaction", "panic");
    "crash-projector-committed"
        "the projector dies with rows committed and no document written"
        |i| crash(i, Kind::Projector, "projector_committed", "panic");
    "crash-projector-mail-sent"
        "the projector dies with a mail sent and nothing stored of that"
        |i| crash(i, Kind::Projector, MAIL_POINT, "panic");
    "crash-projector-webhook-sent"
        "the projector dies with a task's URL called and nothing stored of that"
        |i| crash(i, Kind::Projector, WEBHOOK_POINT, "panic");
    "crash-projector-redis-sent"
        "the projector dies with a script sent to Redis and its answer not read"
        |i| swallow_answer(i, Link::ProjectorToRedis);
}

/// The kind of process that dies.
#[derive(Clone, Copy)]
enum Kind {
    CommandApi,
    Relay,
    Projector,
}

/// Starts a process with an armed failpoint, and waits until it has died there.
async fn crash(mut injection: Injection, kind: Kind, point: &str, action: &str) -> Outcome {
    let stack = injection.stack.clone();
    let process = running(&mut injection, &stack, kind);
    let most = if RARE_POINTS.contains(&point) {
        RARE_PASSES_MAX
    } else {
        PASSES_MAX
    };
    let passes = injection.rng.random_range(1..=most);
    let starts = process.supervised.starts();
    if let Err(skipped) = arm(process, &format!("{point}={passes}*off->{action}")) {
        return skipped;
    }
    process.supervised.kill();
    // The first start is that of the armed process, the second one comes after its death.
    wait_until(&format!("a crash at {point}"), || async {
        process.supervised.starts() > starts + 1
    })
    .await;
    let died_at = Instant::now();
    stack.heal().await;
    injection.wait_for_service().await;
    Outcome::Recovered(died_at.elapsed())
}

/// Lets the relay lose its lease while it leads, again and again.
async fn lose_lease(mut injection: Injection) -> Outcome {
    let stack = injection.stack.clone();
    let relay = running(&mut injection, &stack, Kind::Relay);
    let offset = relay.log_length();
    if let Err(skipped) = arm(relay, "relay_lease_lost=1*off->return") {
        return skipped;
    }
    relay.supervised.kill();
    wait_until("the relay logs that its lease is lost", || async {
        relay.log_since(offset).contains("lease")
    })
    .await;
    let lost_at = Instant::now();
    stack.heal().await;
    injection.wait_for_service().await;
    Outcome::Recovered(lost_at.elapsed())
}

/// Swallows a server's answer, and kills the processes that wait for it.
async fn swallow_answer(mut injection: Injection, link: Link) -> Outcome {
    let stack = injection.stack.clone();
    let proxy = link.start_proxy(&stack).await;
    injection.wait_for_service().await;
    let some_time = injection.between(Duration::ZERO, Duration::from_millis(500));
    tokio::time::sleep(some_time).await;
    let swallowed = proxy.counts().swallowed;
    proxy.set(Direction::Down, ProxyFault::BlackHole);
    wait_until("an answer is swallowed", || async {
        proxy.counts().swallowed > swallowed
    })
    .await;
    for process in link.processes(&stack) {
        process.supervised.kill();
    }
    let died_at = Instant::now();
    proxy.heal();
    injection.wait_for_service().await;
    Outcome::Recovered(died_at.elapsed())
}

/// Chooses one of the running processes of a kind.
fn running<'a>(injection: &mut Injection, stack: &'a Stack, kind: Kind) -> &'a Process {
    let all = match kind {
        Kind::CommandApi => &stack.command_apis,
        Kind::Relay => &stack.relays,
        Kind::Projector => &stack.projectors,
    };
    let running: Vec<_> = all
        .iter()
        .filter(|process| !process.supervised.is_held())
        .collect();
    injection.one_of::<&Process>(&running)
}

/// Has the next start of a process arm failpoints.
pub(super) fn arm(process: &Process, failpoints: &str) -> Result<(), Outcome> {
    let binary = with_failpoints(&process.supervised.program().command[0]);
    if !binary.exists() {
        let binary = binary.display();
        return Err(Outcome::Skipped(format!(
            "{binary} is not built: run ./dev chaos without --ci"
        )));
    }
    process.supervised.change(|program| {
        program.command[0] = binary.display().to_string();
        let (name, value) = ("FAILPOINTS".to_owned(), failpoints.to_owned());
        program.environment.insert(name, value);
    });
    Ok(())
}

fn with_failpoints(binary: &str) -> PathBuf {
    let binary = Path::new(binary);
    let directory = binary.parent().unwrap_or(Path::new("."));
    directory.join(BINARIES).join(binary.file_name().unwrap())
}

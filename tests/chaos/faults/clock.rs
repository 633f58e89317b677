//! Wall clocks that are wrong, of one process at a time. Monotonic time goes on undisturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::FutureExt;
use rand::seq::SliceRandom;
use tokio::time::sleep;

use super::{Fault, Injection, Outcome};
use crate::stack::Process;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "wrong-clock",
        "a process's clock is 1 h or 10 days ahead, or 1 h or 400 days behind",
        8,
        |i| wrong_clock(i).boxed(),
    ),
    Fault::new(
        "jumping-clock",
        "a process's clock jumps by up to a second to and fro",
        4,
        |i| jumping_clock(i).boxed(),
    ),
    Fault::new(
        "step-clock",
        "the clock of a command API steps 10 min ahead, and 10 min back, with timers due",
        4,
        |i| step_clock(i).boxed(),
    ),
];

/// Offsets of a wrong clock, as faketime writes them.
const OFFSETS: [&str; 4] = ["+1h", "+10d", "-1h", "-400d"];
/// How long a clock is wrong.
const WRONG: Duration = Duration::from_secs(6);
/// Offsets of a jumping clock, in seconds, one after the other.
const JUMPS: [&str; 5] = ["+0", "+1.0", "-0.5", "+0.3", "-1.0"];
const JUMP_INTERVAL: Duration = Duration::from_millis(200);
/// Steps of a clock that was right, in seconds: much longer than the shared auctions last.
const STEPS: [&str; 2] = ["+600", "-600"];
/// The offset of a clock that is right.
const RIGHT: &str = "+0";
/// How many auctions must end after a step. Their timers were set before it.
const AUCTIONS_CLOSED: i64 = 2;
/// Debian has the library in a directory for each architecture below this one.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

async fn wrong_clock(mut injection: Injection) -> Outcome {
    let offset = (*injection.one_of(&OFFSETS)).to_owned();
    let process = any_running(&mut injection);
    let wait = sleep(WRONG);
    run_with_clock(&injection, &process, ("FAKETIME", offset), wait).await
}

async fn jumping_clock(mut injection: Injection) -> Outcome {
    let process = any_running(&mut injection);
    let clock = Clock::new(&injection.stack.directory);
    let jump = async {
        let started = Instant::now();
        for offset in JUMPS.iter().cycle() {
            clock.set(offset);
            sleep(JUMP_INTERVAL).await;
            if started.elapsed() > WRONG {
                return;
            }
        }
    };
    run_with_clock(&injection, &process, clock.setting(), jump).await
}

/// Steps the clock of the command API that timers are sent to: one way, back to where it was, and the other
/// way. The invariants see an auction that is closed early, or not closed at all.
async fn step_clock(mut injection: Injection) -> Outcome {
    let mut steps = STEPS;
    steps.shuffle(&mut injection.rng);
    let [one_way, other_way] = steps;
    let process = &injection.stack.command_apis[0];
    let clock = Clock::new(&injection.stack.directory);
    let step = async {
        for offset in [one_way, RIGHT, other_way] {
            let auctions = auctions_closed(&injection).await;
            clock.set(offset);
            let what = format!("auctions end after the clock has stepped to {offset} s");
            wait_until(&what, || async {
                auctions_closed(&injection).await >= auctions + AUCTIONS_CLOSED
            })
            .await;
        }
    };
    run_with_clock(&injection, process, clock.setting(), step).await
}

async fn auctions_closed(injection: &Injection) -> i64 {
    sqlx::query_scalar("select count(*) from events where type = 'auction.closed'")
        .fetch_one(&injection.stack.pool)
        .await
        .unwrap()
}

/// One of the processes that are running.
fn any_running(injection: &mut Injection) -> Process {
    let stack = injection.stack.clone();
    let running: Vec<_> = stack
        .processes()
        .filter(|process| !process.supervised.is_held())
        .collect();
    (*injection.one_of(&running)).clone()
}

/// Runs a process with a clock of its own while `work` is under way.
async fn run_with_clock(
    injection: &Injection,
    process: &Process,
    (name, value): (&str, String),
    work: impl Future<Output = ()>,
) -> Outcome {
    let Some(library) = library() else {
        return Outcome::Skipped(format!("there is no {LIBRARY}: install faketime"));
    };
    let offset = process.log_length();
    process
        .restart_with(|program| {
            let mut set = |name: &str, value: String| {
                program.environment.insert(name.to_owned(), value);
            };
            set("LD_PRELOAD", library.display().to_string());
            set("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned());
            set("DONT_FAKE_MONOTONIC", "1".to_owned());
            set("FAKETIME_NO_CACHE", "1".to_owned());
            set(name, value.clone());
        })
        .await;
    work.await;
    let recovered = injection.wait_for_service().await;
    let log = process.log_since(offset);
    let panic = log.lines().find(|line| line.contains("panicked"));
    let process = process.supervised.name();
    assert!(panic.is_none(), "{process} with {name}={value}: {panic:?}");
    Outcome::Recovered(recovered)
}

/// A clock that can be set while a process runs with it: a file with an offset in seconds, as
/// faketime reads it.
struct Clock(PathBuf);

impl Clock {
    /// A clock that is right.
    fn new(directory: &Path) -> Self {
        let clock = Self(directory.join("clock"));
        clock.set(RIGHT);
        clock
    }

    fn set(&self, offset: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(&new, &self.0).unwrap();
    }

    /// The variable that gives a process this clock.
    fn setting(&self) -> (&'static str, String) {
        ("FAKETIME_TIMESTAMP_FILE", self.0.display().to_string())
    }
}

fn library() -> Option<PathBuf> {
    let directories = fs::read_dir(Path::new(LIBRARIES)).ok()?.flatten();
    let mut paths = directories.map(|directory| directory.path().join(LIBRARY));
    paths.find(|path| path.exists())
}

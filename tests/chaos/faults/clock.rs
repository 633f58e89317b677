//! Wall clocks that are wrong, of one process at a time. Monotonic time goes on undisturbed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::{Fault, Injection, Outcome};

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
];

/// Offsets of a wrong clock, as faketime writes them.
const OFFSETS: [&str; 4] = ["+1h", "+10d", "-1h", "-400d"];
/// How long a clock is wrong.
const WRONG: Duration = Duration::from_secs(6);
/// Offsets of a jumping clock, in seconds, one after the other.
const JUMPS: [&str; 5] = ["+0", "+1.0", "-0.5", "+0.3", "-1.0"];
const JUMP_INTERVAL: Duration = Duration::from_millis(200);
/// Debian has the library in a directory for each architecture below this one.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

async fn wrong_clock(mut injection: Injection) -> Outcome {
    let offset = *injection.one_of(&OFFSETS);
    run_with_clock(&mut injection, ("FAKETIME", offset.to_owned()), |_| ()).await
}

async fn jumping_clock(mut injection: Injection) -> Outcome {
    let file = injection.stack.directory.join("clock");
    let set = |offset: &str| {
        let new = file.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    set(JUMPS[0]);
    let setting = ("FAKETIME_TIMESTAMP_FILE", file.display().to_string());
    run_with_clock(&mut injection, setting, |tick| {
        set(JUMPS[tick % JUMPS.len()]);
    })
    .await
}

/// Runs one process with a clock of its own for a while, and calls `jump` at every interval.
async fn run_with_clock(
    injection: &mut Injection,
    (name, value): (&str, String),
    jump: impl Fn(usize),
) -> Outcome {
    let Some(library) = library() else {
        return Outcome::Skipped(format!("there is no {LIBRARY}: install faketime"));
    };
    let stack = injection.stack.clone();
    let running: Vec<_> = stack
        .processes()
        .filter(|process| !process.supervised.is_held())
        .collect();
    let process = *injection.one_of(&running);
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
    let (started, mut tick) = (Instant::now(), 0);
    while started.elapsed() < WRONG {
        sleep(JUMP_INTERVAL).await;
        jump(tick);
        tick += 1;
    }
    let recovered = injection.wait_for_service().await;
    let log = process.log_since(offset);
    let panic = log.lines().find(|line| line.contains("panicked"));
    let process = process.supervised.name();
    assert!(panic.is_none(), "{process} with {name}={value}: {panic:?}");
    Outcome::Recovered(recovered)
}

fn library() -> Option<PathBuf> {
    let directories = fs::read_dir(Path::new(LIBRARIES)).ok()?.flatten();
    let mut paths = directories.map(|directory| directory.path().join(LIBRARY));
    paths.find(|path| path.exists())
}

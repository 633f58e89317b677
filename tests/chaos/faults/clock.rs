//! Clocks that are wrong, one process at a time. Monotonic time goes on: a clock is set, not time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::network::back;
use super::{Episode, Fault, Outcome, Topics, ordinary};

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "f28",
        title: "a process's clock is an hour or ten days ahead, an hour or 400 days behind",
        full: 8,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| wrong(episode).boxed(),
    },
    Fault {
        id: "f28-jitter",
        title: "a process's clock jumps by up to a second to and fro",
        full: 4,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| jumping(episode).boxed(),
    },
];

const JUMPS: [&str; 4] = ["+1h", "+10d", "-1h", "-400d"];
const WRONG: Duration = Duration::from_secs(6);
const JITTER: [&str; 5] = ["+0", "+1.0", "-0.5", "+0.3", "-1.0"];
const EACH: Duration = Duration::from_millis(200);
/// Where Debian has it, for every architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

async fn wrong(mut episode: Episode) -> Outcome {
    let jump = *episode.one_of(&JUMPS);
    under(&mut episode, ("FAKETIME", jump.to_owned()), |_| ()).await
}

async fn jumping(mut episode: Episode) -> Outcome {
    let file = episode.stack.directory.join("clock");
    let set = |to: &str| {
        let new = file.with_extension("new");
        fs::write(&new, to).unwrap();
        fs::rename(&new, &file).unwrap();
    };
    set(JITTER[0]);
    let setting = ("FAKETIME_TIMESTAMP_FILE", file.display().to_string());
    under(&mut episode, setting, |number| {
        set(JITTER[number % JITTER.len()]);
    })
    .await
}

/// Runs one process with another clock for a while, and calls `tick` now and then.
async fn under(
    episode: &mut Episode,
    (name, value): (&str, String),
    tick: impl Fn(usize),
) -> Outcome {
    let Some(library) = library() else {
        return Outcome::Skipped(format!("there is no {LIBRARY}: install faketime"));
    };
    let stack = episode.stack.clone();
    let running: Vec<_> = stack
        .processes()
        .filter(|process| !process.process.is_held())
        .collect();
    let process = *episode.one_of(&running);
    let place = process.logged();
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
    let (began, mut ticks) = (Instant::now(), 0);
    while began.elapsed() < WRONG {
        sleep(EACH).await;
        tick(ticks);
        ticks += 1;
    }
    let recovered = back(episode).await;
    let log = process.log_since(place);
    let panic = log.lines().find(|line| line.contains("panicked"));
    assert!(panic.is_none(), "{name}={value}: {panic:?}");
    Outcome::Recovered(recovered)
}

fn library() -> Option<PathBuf> {
    let directories = fs::read_dir(Path::new(LIBRARIES)).ok()?.flatten();
    let mut paths = directories.map(|directory| directory.path().join(LIBRARY));
    paths.find(|path| path.exists())
}

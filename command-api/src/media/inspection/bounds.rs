//! What the operating system lets the process have that looks at a picture.

use std::fs;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tidemark_platform::config;

/// How many files it may have open: those of its input and output, and what it reads when it starts.
const OPEN_FILES_MAX: u64 = 16;
/// Where memory is short, the system ends this process before all others.
const MOST_DISPENSABLE: &str = "1000";

/// The bounds of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::media) struct Bounds {
    /// The most memory that it writes to, the program's own included, in bytes.
    pub(in crate::media) memory_bytes: u64,
    /// How long it may use a core.
    pub(in crate::media) cpu_s: u64,
}

impl Bounds {
    pub(in crate::media) const fn of(settings: &config::Media) -> Self {
        Self {
            memory_bytes: settings.inspection_bytes_max,
            cpu_s: settings.inspection_cpu_s,
        }
    }

    /// Every limit. It writes no file and starts no process, and what it leaves behind holds nothing of the picture.
    const fn limits(self) -> [(Resource, u64); 6] {
        [
            (Resource::Data, self.memory_bytes),
            (Resource::Cpu, self.cpu_s),
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Nofile, OPEN_FILES_MAX),
            (Resource::Nproc, 0),
        ]
    }

    /// Whether this process has no more than that.
    pub(super) fn hold(self) -> bool {
        self.limits().into_iter().all(is_kept)
    }

    /// Bounds this process, and what it starts in its place.
    pub(super) fn set(self) -> io::Result<()> {
        // Only on Linux is there such a file, and it says only who goes first.
        fs::write("/proc/self/oom_score_adj", MOST_DISPENSABLE).ok();
        let missing = self.limits().into_iter().filter(|it| !is_kept(*it));
        for (resource, most) in missing {
            let Rlimit { maximum, .. } = getrlimit(resource);
            let current = Some(most.min(maximum.unwrap_or(most)));
            setrlimit(resource, Rlimit { current, maximum })?;
        }
        Ok(())
    }
}

fn is_kept((resource, most): (Resource, u64)) -> bool {
    let Rlimit { current, .. } = getrlimit(resource);
    current.is_some_and(|it| it <= most)
}

//! A disk that can be full: a file system in memory whose size is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const SIZE: &str = "2g";
/// Where it is mounted.
pub(super) const HOME: &str = "/var/tmp";
const NAME: &str = "tidemark-chaos-small";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A disk. The first one made is unmounted when it is dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    path: PathBuf,
    is_owner: bool,
}

impl SmallDisk {
    /// Mounts one; or says why that cannot be.
    pub(crate) fn make() -> Result<Self, String> {
        for path in orphans(NAME) {
            drop(Self {
                path,
                is_owner: true,
            });
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(HOME).join(format!("{NAME}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]);
        succeeds(mount.arg(&path))?;
        Ok(Self {
            path,
            is_owner: true,
        })
    }

    /// The one that a path is on.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let is_one = |above: &&Path| {
            let name = above.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(NAME))
        };
        Some(Self {
            path: path.ancestors().find(is_one)?.to_owned(),
            is_owner: false,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves no space on it.
    pub(crate) fn fill(&self) {
        let used = succeeds(Command::new("du").arg("-sk").arg(&self.path)).unwrap();
        let kib: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
        // Somebody is writing all the time: a size below what is used is refused.
        let more = (0..64).find(|more| self.resize(&format!("{}k", kib + more * 1024)).is_ok());
        assert!(
            more.is_some(),
            "{} cannot be made smaller",
            self.path.display()
        );
    }

    /// Gives the space back.
    pub(crate) fn grow(&self) {
        self.resize(SIZE).unwrap();
    }

    fn resize(&self, size: &str) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={size}")]);
        succeeds(mount.arg(&self.path)).map(|_| ())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if self.is_owner {
            succeeds_quietly(Command::new("umount").arg("-l").arg(&self.path));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// What runs that were killed have left behind: directories that are named after them.
pub(super) fn orphans(name: &str) -> Vec<PathBuf> {
    let is_orphan = |path: &PathBuf| {
        let file_name = path.file_name().and_then(|name| name.to_str());
        let rest = file_name.and_then(|file_name| file_name.strip_prefix(name)?.strip_prefix('-'));
        let owner = rest.and_then(|rest| rest.split('-').next());
        owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists())
    };
    let entries = fs::read_dir(HOME).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(is_orphan)
        .collect()
}

/// Runs a command to its end, and gives what it says.
pub(super) fn succeeds(command: &mut Command) -> Result<String, String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {errors}"))
    }
}

/// Runs a command that may have nothing to do any more.
pub(super) fn succeeds_quietly(command: &mut Command) {
    let _ = succeeds(command);
}

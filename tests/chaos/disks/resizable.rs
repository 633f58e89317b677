//! A disk that can be full: a file system in memory whose size can be changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::{new_path, orphans, run, try_run};

const SIZE: &str = "2g";
const NAME: &str = "tidemark-chaos-small";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A mounted file system. The value that [`Self::make`] returned unmounts it when it is dropped;
/// those of [`Self::of`] do not.
#[derive(Debug)]
pub(crate) struct ResizableDisk {
    path: PathBuf,
    is_owner: bool,
}

impl ResizableDisk {
    /// Mounts a new one.
    ///
    /// # Errors
    /// Says why this machine cannot.
    pub(crate) fn make() -> Result<Self, String> {
        for path in orphans(NAME) {
            drop(Self {
                path,
                is_owner: true,
            });
        }
        let path = new_path(NAME, MADE.fetch_add(1, Ordering::Relaxed));
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"]);
        run(mount.arg(&path))?;
        Ok(Self {
            path,
            is_owner: true,
        })
    }

    /// The disk that a path is on, if it is one of these.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let is_disk = |above: &&Path| {
            let name = above.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(NAME))
        };
        Some(Self {
            path: path.ancestors().find(is_disk)?.to_owned(),
            is_owner: false,
        })
    }

    /// The directory that it is mounted at.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Shrinks it to what is used, so that no space is left.
    pub(crate) fn fill(&self) {
        let used = run(Command::new("du").arg("-sk").arg(&self.path)).unwrap();
        let kib: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
        // A size below what is used is refused, and somebody may be writing all the time: so try
        // larger sizes, in steps of 1 MiB.
        let more = (0..64).find(|more| self.resize(&format!("{}k", kib + more * 1024)).is_ok());
        assert!(
            more.is_some(),
            "{} cannot be made smaller",
            self.path.display()
        );
    }

    /// Gives it its first size back.
    pub(crate) fn grow(&self) {
        self.resize(SIZE).unwrap();
    }

    fn resize(&self, size: &str) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={size}")]);
        run(mount.arg(&self.path)).map(|_| ())
    }
}

impl Drop for ResizableDisk {
    fn drop(&mut self) {
        if self.is_owner {
            try_run(Command::new("umount").arg("-l").arg(&self.path));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

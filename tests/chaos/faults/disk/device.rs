//! A disk whose power can be cut: what was flushed is on it afterwards, what was only written is not.
//!
//! A filter of `nbdkit` keeps all writes in memory until they are flushed; `nbdfuse` makes a file of
//! that, the kernel a block device, and on it is a file system like any other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::small::{HOME, orphans, succeeds, succeeds_quietly};

const SIZE: &str = "3G";
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
const NAME: &str = "tidemark-chaos-disk";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A disk, in a directory of its own. The first one made is taken apart when it is dropped.
#[derive(Debug)]
pub(crate) struct Device {
    directory: PathBuf,
    is_owner: bool,
}

impl Device {
    /// Makes one and mounts it; or says what this machine lacks.
    pub(crate) fn make() -> Result<Self, String> {
        for tool in [
            "nbdkit",
            "nbdfuse",
            "losetup",
            "mkfs.ext4",
            "mount",
            "umount",
        ] {
            if Command::new("which")
                .arg(tool)
                .output()
                .is_ok_and(|which| !which.status.success())
            {
                return Err(format!("there is no {tool}"));
            }
        }
        for node in ["/dev/fuse", "/dev/loop-control"] {
            if fs::File::options()
                .read(true)
                .write(true)
                .open(node)
                .is_err()
            {
                return Err(format!("{node} cannot be opened"));
            }
        }
        for directory in orphans(NAME) {
            drop(Self {
                directory,
                is_owner: true,
            });
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}-{}-{number}", std::process::id());
        let device = Self {
            directory: Path::new(HOME).join(name),
            is_owner: true,
        };
        for directory in ["fuse", "mount"] {
            fs::create_dir_all(device.directory.join(directory)).map_err(|e| e.to_string())?;
        }
        succeeds(
            Command::new("truncate")
                .args(["-s", SIZE])
                .arg(device.image()),
        )?;
        device.attach()?;
        succeeds(
            Command::new("mkfs.ext4")
                .arg("-q")
                .arg(device.loop_device()),
        )?;
        device.mount()?;
        device.flush();
        Ok(device)
    }

    /// The one that a path is on.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let directory = path
            .ancestors()
            .find(|above| above.join("image").exists())?;
        Some(Self {
            directory: directory.to_owned(),
            is_owner: false,
        })
    }

    /// Where its file system is.
    pub(crate) fn mount_point(&self) -> PathBuf {
        self.directory.join("mount")
    }

    /// Everything that was written up to now survives a cut.
    pub(crate) fn flush(&self) {
        succeeds_quietly(Command::new("sync").arg("-f").arg(self.mount_point()));
    }

    /// Cuts the power: whatever was not flushed is gone, and nothing can be written or read.
    pub(crate) fn power_off(&self) {
        let kill = |name: &str| {
            let pid = fs::read_to_string(self.directory.join(name)).unwrap_or_default();
            succeeds_quietly(Command::new("kill").args(["-9", pid.trim()]));
        };
        kill("nbdkit.pid");
        kill("nbdfuse.pid");
    }

    /// Gives the power back; nothing may run any more that had files open on it.
    pub(crate) fn power_on(&self) {
        self.detach();
        self.attach().unwrap();
        self.mount().unwrap();
    }

    fn image(&self) -> PathBuf {
        self.directory.join("image")
    }

    fn loop_device(&self) -> String {
        fs::read_to_string(self.directory.join("loop")).unwrap_or_default()
    }

    fn attach(&self) -> Result<(), String> {
        let path = |name: &str| self.directory.join(name);
        let _ = fs::remove_file(path("socket"));
        let mut nbdkit = Command::new("nbdkit");
        nbdkit
            .arg("-U")
            .arg(path("socket"))
            .arg("-P")
            .arg(path("nbdkit.pid"));
        nbdkit
            .args(["--filter=cache", "file"])
            .arg(self.image())
            .arg("cache=writeback");
        succeeds(&mut nbdkit)?;
        let mut nbdfuse = Command::new("nbdfuse");
        nbdfuse.arg("-P").arg(path("nbdfuse.pid")).arg(path("fuse"));
        nbdfuse.arg("--unix").arg(path("socket"));
        // It stays in the foreground; whoever waits for it comes too late.
        let mut nbdfuse = nbdfuse.spawn().map_err(|error| error.to_string())?;
        std::thread::spawn(move || nbdfuse.wait());
        let file = path("fuse").join("nbd");
        let began = Instant::now();
        while !file.exists() {
            if began.elapsed() > PATIENCE {
                return Err("nbdfuse shows no file".to_owned());
            }
            sleep(POLL);
        }
        let device = succeeds(Command::new("losetup").args(["-f", "--show"]).arg(file))?;
        fs::write(path("loop"), device.trim()).map_err(|error| error.to_string())
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.arg(self.loop_device()).arg(self.mount_point());
        succeeds(&mut mount).map(|_| ())
    }

    fn detach(&self) {
        succeeds_quietly(Command::new("umount").arg("-l").arg(self.mount_point()));
        succeeds_quietly(Command::new("losetup").arg("-d").arg(self.loop_device()));
        succeeds_quietly(
            Command::new("umount")
                .arg("-l")
                .arg(self.directory.join("fuse")),
        );
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.is_owner {
            self.power_off();
            self.detach();
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

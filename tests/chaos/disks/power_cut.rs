//! A disk whose power can be cut: afterwards it holds what was flushed, and nothing that was only
//! written.
//!
//! A filter of `nbdkit` keeps all writes in memory until they are flushed; `nbdfuse` shows that as
//! a file, the kernel makes a block device of the file, and on it is an ordinary file system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{new_path, orphans, run, try_run};
use crate::supervisor::Supervised;

const SIZE: &str = "3G";
const ATTACH_TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
const NAME: &str = "tidemark-chaos-disk";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A mounted file system on such a disk, with all its files in a directory of its own. The value
/// that [`Self::make`] returned takes it apart when it is dropped; those of [`Self::of`] do not.
#[derive(Debug)]
pub(crate) struct PowerCutDisk {
    directory: PathBuf,
    is_owner: bool,
}

impl PowerCutDisk {
    /// Makes a disk and mounts it.
    ///
    /// # Errors
    /// Says what this machine lacks.
    pub(crate) fn make() -> Result<Self, String> {
        check_machine()?;
        for directory in orphans(NAME) {
            drop(Self {
                directory,
                is_owner: true,
            });
        }
        let disk = Self {
            directory: new_path(NAME, MADE.fetch_add(1, Ordering::Relaxed)),
            is_owner: true,
        };
        for directory in ["fuse", "mount"] {
            fs::create_dir_all(disk.directory.join(directory)).map_err(|e| e.to_string())?;
        }
        let mut truncate = Command::new("truncate");
        run(truncate.args(["-s", SIZE]).arg(disk.image()))?;
        disk.attach()?;
        let mut mkfs = Command::new("mkfs.ext4");
        run(mkfs.arg("-q").arg(disk.loop_device()))?;
        disk.mount()?;
        disk.flush();
        Ok(disk)
    }

    /// The disk that a path is on, if it is one of these.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let directory = path
            .ancestors()
            .find(|above| above.join("image").exists())?;
        Some(Self {
            directory: directory.to_owned(),
            is_owner: false,
        })
    }

    /// The directory at which its file system is mounted.
    pub(crate) fn mount_point(&self) -> PathBuf {
        self.directory.join("mount")
    }

    /// Flushes everything, so that what was written up to now survives a power cut.
    pub(crate) fn flush(&self) {
        try_run(Command::new("sync").arg("-f").arg(self.mount_point()));
    }

    /// Cuts the power: what was not flushed is gone, and nothing can be written or read.
    fn power_off(&self) {
        let kill = |name: &str| {
            let pid = fs::read_to_string(self.directory.join(name)).unwrap_or_default();
            try_run(Command::new("kill").args(["-9", pid.trim()]));
        };
        kill("nbdkit.pid");
        kill("nbdfuse.pid");
    }

    /// Gives the power back. No process may run any more that has files open on the disk.
    fn power_on(&self) {
        self.detach();
        self.attach().unwrap();
        self.mount().unwrap();
    }

    /// The file that holds what was flushed.
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
        run(&mut nbdkit)?;
        let mut nbdfuse = Command::new("nbdfuse");
        nbdfuse.arg("-P").arg(path("nbdfuse.pid")).arg(path("fuse"));
        nbdfuse.arg("--unix").arg(path("socket"));
        // It stays in the foreground until it is killed, so a thread waits for its end.
        let mut nbdfuse = nbdfuse.spawn().map_err(|error| error.to_string())?;
        std::thread::spawn(move || nbdfuse.wait());
        let file = path("fuse").join("nbd");
        let started = Instant::now();
        while !file.exists() {
            if started.elapsed() > ATTACH_TIMEOUT {
                return Err("nbdfuse shows no file".to_owned());
            }
            sleep(POLL);
        }
        let device = run(Command::new("losetup").args(["-f", "--show"]).arg(file))?;
        fs::write(path("loop"), device.trim()).map_err(|error| error.to_string())
    }

    fn mount(&self) -> Result<(), String> {
        let mut mount = Command::new("mount");
        mount.arg(self.loop_device()).arg(self.mount_point());
        run(&mut mount).map(|_| ())
    }

    fn detach(&self) {
        try_run(Command::new("umount").arg("-l").arg(self.mount_point()));
        try_run(Command::new("losetup").arg("-d").arg(self.loop_device()));
        let fuse = self.directory.join("fuse");
        try_run(Command::new("umount").arg("-l").arg(fuse));
    }
}

impl Drop for PowerCutDisk {
    fn drop(&mut self) {
        if self.is_owner {
            self.power_off();
            self.detach();
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// Cuts the power of a server and its disk, and gives it back.
pub(crate) async fn cut_power(server: &Supervised, disk: PowerCutDisk) {
    server.hold();
    // The disk goes first: else the server could acknowledge what is not on it.
    disk.power_off();
    server.end();
    tokio::task::spawn_blocking(move || disk.power_on())
        .await
        .unwrap();
    server.release();
}

fn check_machine() -> Result<(), String> {
    for tool in [
        "nbdkit",
        "nbdfuse",
        "losetup",
        "mkfs.ext4",
        "mount",
        "umount",
    ] {
        let which = Command::new("which").arg(tool).output();
        if which.is_ok_and(|which| !which.status.success()) {
            return Err(format!("{tool} is not installed"));
        }
    }
    for node in ["/dev/fuse", "/dev/loop-control"] {
        let opened = fs::File::options().read(true).write(true).open(node);
        if opened.is_err() {
            return Err(format!("{node} cannot be opened"));
        }
    }
    Ok(())
}

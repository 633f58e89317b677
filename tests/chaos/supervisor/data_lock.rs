//! A lock file that a server leaves behind when it is killed.

use std::fs;
use std::path::PathBuf;

/// The lock file of a data directory. It names the process that uses the directory. After a kill
/// that number may belong to another process, which keeps the server from starting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DataLock {
    /// Every process that uses the data has this as its working directory.
    pub(crate) directory: PathBuf,
    /// The name of the lock file in it.
    pub(crate) file: &'static str,
}

impl DataLock {
    /// Removes the lock file unless some process still uses the data, and says whether none does.
    pub(crate) fn clear(&self) -> bool {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut directories =
            processes.filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok());
        let is_unused = !directories.any(|directory| directory == self.directory);
        if is_unused {
            let _ = fs::remove_file(self.directory.join(self.file));
        }
        is_unused
    }
}

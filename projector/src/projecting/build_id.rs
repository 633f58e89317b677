//! Which build of the program this is. What one build could not do, the same build need not try again.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::io::Read;
use std::sync::{Arc, LazyLock};

/// A hash of the executable, or the version of the program if the executable cannot be read.
pub(super) static BUILD_ID: LazyLock<Arc<str>> = LazyLock::new(|| {
    let version = env!("CARGO_PKG_VERSION");
    hash_of_executable().map_or_else(|_| version.into(), |hash| format!("{hash:016x}").into())
});

fn hash_of_executable() -> io::Result<u64> {
    let mut executable = File::open(std::env::current_exe()?)?;
    let mut hasher = DefaultHasher::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match executable.read(&mut bytes)? {
            0 => return Ok(hasher.finish()),
            read => hasher.write(&bytes[..read]),
        }
    }
}

//! The process that looks at one picture, and ends. It has no settings, and so no secrets.

use std::io;
use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tidemark_events::media::media::PictureType;

use super::answer::Answer;
use super::bounds::Bounds;
use super::{Size, inspect};

/// The argument by which a program is such a process. The [`Inspection`] follows.
pub(in crate::media) const ARGUMENT: &str = "--inspect-picture";

/// Has the allocator take what it needs, and not most of what the bounds allow at once, which would leave no large pieces.
const ALLOCATE_BY_NEED: (&str, &str) = ("MIMALLOC_ARENA_EAGER_COMMIT", "0");

/// What to do with the file that comes on standard input.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Inspection {
    /// How many bytes it has.
    pub(in crate::media) file_bytes: usize,
    /// The type that it is said to have.
    pub(in crate::media) stated: Option<PictureType>,
    pub(in crate::media) size: Size,
    pub(in crate::media) bounds: Bounds,
}

impl FromStr for Inspection {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        serde_json::from_str(text)
    }
}

/// Looks at the file that comes on standard input, within these bounds, and answers on standard output.
#[must_use]
pub fn inspect_picture(inspection: &Inspection) -> ExitCode {
    let answer = if inspection.bounds.hold() {
        read(inspection.file_bytes)
            .map(|file| Answer::of(inspect(file, inspection.stated, inspection.size)))
    } else {
        start_again(inspection)
    };
    let answer = answer.unwrap_or_else(|error| Answer::Failed(error.to_string()));
    match answer.write(io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        // Nobody waits for the answer any more.
        Err(_) => ExitCode::FAILURE,
    }
}

/// The program that runs in this process, also if another one stands at its path by now.
pub(in crate::media) fn own_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe()
}

/// Bounds the process and begins anew in it. What a program takes before it bounds itself would stay its own, and the allocator
/// takes very much at once.
fn start_again(inspection: &Inspection) -> io::Result<Answer> {
    inspection.bounds.set()?;
    let inspection = serde_json::to_string(inspection)?;
    let program = own_program()?;
    let (name, value) = ALLOCATE_BY_NEED;
    let mut command = Command::new(program);
    command.arg(ARGUMENT).arg(inspection).env(name, value);
    Err(command.exec())
}

fn read(bytes: usize) -> io::Result<Vec<u8>> {
    let mut file = Vec::with_capacity(bytes);
    io::stdin()
        .lock()
        .take(bytes as u64)
        .read_to_end(&mut file)?;
    if file.len() < bytes {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(file)
}

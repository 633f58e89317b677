//! Has a process look at each picture, so that no picture takes anything of this one.

use std::fmt::Display;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use metrics::counter;
use rustix::process::Signal;
use tidemark_events::media::media::PictureType;
use tidemark_platform::config;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::inspection::answer::Answer;
use super::inspection::bounds::Bounds;
use super::inspection::process::{ARGUMENT, Inspection, own_program};
use super::inspection::{Size, Written};

/// Why a picture was not written in all sizes.
#[derive(Debug)]
pub(super) enum Uninspected {
    /// It is refused, for this reason.
    Refused(String),
    /// The machine has too much to do to look at it in time.
    Late,
    /// The process could not be started, or ended for a reason that is none of the picture.
    Failed,
}

/// Starts a process for each picture, and ends it in time.
#[derive(Debug)]
pub(super) struct Inspector {
    /// The path of the program; this one if it is empty.
    program: String,
    size: Size,
    bounds: Bounds,
    time: Duration,
}

impl Inspector {
    pub(super) fn new(settings: &config::Media) -> Self {
        Self {
            program: settings.inspector.clone(),
            size: Size::of(settings),
            bounds: Bounds::of(settings),
            time: Duration::from_millis(settings.inspection_ms),
        }
    }

    /// Has a file looked at, and written in all sizes, the full one first. What is said to have a type must have it.
    pub(super) async fn inspect(
        &self,
        file: Vec<u8>,
        stated: Option<PictureType>,
    ) -> Result<Vec<Written>, Uninspected> {
        let inspection = Inspection {
            file_bytes: file.len(),
            stated,
            size: self.size,
            bounds: self.bounds,
        };
        let mut child = self.start(&inspection).map_err(|error| failed(&error))?;
        let asked = timeout(self.time, self.ask(&mut child, file)).await;
        // So its memory is free before another picture is looked at.
        child.kill().await.map_err(|error| failed(&error))?;
        asked.unwrap_or(Err(Uninspected::Late))
    }

    fn start(&self, inspection: &Inspection) -> io::Result<Child> {
        let program = match &*self.program {
            "" => own_program()?,
            path => PathBuf::from(path),
        };
        Command::new(program)
            .arg(ARGUMENT)
            .arg(serde_json::to_string(inspection)?)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    }

    async fn ask(&self, child: &mut Child, file: Vec<u8>) -> Result<Vec<Written>, Uninspected> {
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(mut input), Some(output)) = pipes else {
            return Err(failed(&"it has no input or no output"));
        };
        // A process that has ended takes no more of it. How it ended says why.
        input.write_all(&file).await.ok();
        drop((input, file));
        match Answer::read(output, self.size.written_bytes).await {
            Ok(Answer::Written(written)) => Ok(written),
            Ok(Answer::Refused(reason)) => Err(Uninspected::Refused(reason)),
            Ok(Answer::Failed(reason)) => Err(failed(&reason)),
            Err(unread) => match child.wait().await {
                Ok(ended) => Err(self.without_answer(ended, &unread)),
                Err(error) => Err(failed(&error)),
            },
        }
    }

    /// Why a process that ended so did not answer. Whoever does not get memory ends with `SIGABRT`.
    fn without_answer(&self, ended: ExitStatus, unread: &io::Error) -> Uninspected {
        let Bounds {
            memory_bytes,
            cpu_s,
        } = self.bounds;
        if ended.signal() == Some(Signal::ABORT.as_raw()) {
            let reason =
                format!("looking at the picture takes more than {memory_bytes} bytes of memory");
            return Uninspected::Refused(reason);
        }
        if ended.signal() == Some(Signal::XCPU.as_raw()) {
            let reason = format!("looking at the picture takes longer than {cpu_s} seconds");
            return Uninspected::Refused(reason);
        }
        failed(&format!("{ended}: {unread}"))
    }
}

/// Logs and counts a process that failed.
fn failed(error: &dyn Display) -> Uninspected {
    tracing::error!(%error, "the process that looks at pictures fails");
    counter!("tidemark_media_inspection_failures_total").increment(1);
    Uninspected::Failed
}

//! The clients' journal: what they asked for, written to disk before it is sent, and what they were
//! told. The order of its lines is an order in real time: what stands before an `invoke` had been
//! answered when that was sent.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::{fs, thread};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

/// A line of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(crate) enum Line {
    /// A command is about to be sent for the first time.
    Invoke {
        /// Its `Idempotency-Key`, and the correlation id of its events.
        id: Uuid,
        /// What it must become if it is accepted.
        expect: Expected,
    },
    /// It was accepted.
    Ok {
        id: Uuid,
        /// That its `Tidemark` names.
        position: i64,
        /// Attempts before this one, whose outcome nobody knew.
        unknown: u32,
    },
    /// It was refused for good.
    Refused { id: Uuid, status: u16, code: String },
    /// Its outcome is not known, and nobody asks any more.
    Unknown { id: Uuid },
    /// A query was answered.
    Read {
        client: usize,
        /// The position that it asked for.
        at_least: i64,
        /// The position that the answer claims.
        position: i64,
        /// What its document lacks of what the session had written by then.
        missing: Option<String>,
    },
    /// An attempt was answered 5xx.
    Error {
        /// Since the load began.
        at_ms: u64,
        status: u16,
        code: String,
        retry_after: bool,
    },
    /// A fault begins.
    FaultBegins { at_ms: u64, fault: String },
    /// The service is back.
    FaultEnds { at_ms: u64, fault: String },
}

/// The one event that an accepted command must have become.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Expected {
    /// Its type.
    pub(crate) event: String,
    /// Members that its data must have.
    pub(crate) data: Value,
}

type Entry = (Line, Option<oneshot::Sender<()>>);

/// Writes lines, and makes them durable together where somebody waits for it.
#[derive(Debug)]
pub(crate) struct Journal {
    lines: Option<Sender<Entry>>,
    writer: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Journal {
    /// A new one.
    pub(crate) fn create(directory: &Path) -> Self {
        let path = directory.join("journal.jsonl");
        let file = File::create(&path).unwrap();
        let (lines, entries) = channel();
        Self {
            lines: Some(lines),
            writer: Some(thread::spawn(move || write(file, &entries))),
            path,
        }
    }

    /// Writes a line, durable soon.
    pub(crate) fn note(&self, line: Line) {
        self.send((line, None));
    }

    /// Writes a line; durable when this returns.
    pub(crate) async fn record(&self, line: Line) {
        let (durable, is_durable) = oneshot::channel();
        self.send((line, Some(durable)));
        is_durable.await.unwrap();
    }

    /// All lines, when nobody writes any more.
    pub(crate) fn finish(mut self) -> Vec<Line> {
        self.close();
        let text = fs::read_to_string(&self.path).unwrap();
        let line = |line| serde_json::from_str(line).unwrap();
        text.lines().map(line).collect()
    }

    fn send(&self, entry: Entry) {
        let lines = self.lines.as_ref().unwrap();
        lines.send(entry).unwrap();
    }

    fn close(&mut self) {
        self.lines.take();
        if let Some(writer) = self.writer.take() {
            writer.join().unwrap();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

fn write(mut file: File, entries: &Receiver<Entry>) {
    let mut text = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(entry) = entries.recv() {
        for (line, durable) in std::iter::once(entry).chain(entries.try_iter()) {
            serde_json::to_writer(&mut text, &line).unwrap();
            text.push(b'\n');
            waiting.extend(durable);
        }
        file.write_all(&text).unwrap();
        text.clear();
        if !waiting.is_empty() {
            file.sync_data().unwrap();
        }
        for durable in waiting.drain(..) {
            // Whoever waited may have been cancelled.
            let _ = durable.send(());
        }
    }
}

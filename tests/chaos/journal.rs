//! The clients' journal: each command, written to disk before it is sent, and each answer. The
//! order of entries is an order in real time: a command was sent after every answer that stands
//! above it.

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

/// The name of the journal in the directory of a round: one entry a line, as JSON.
pub(crate) const FILE: &str = "journal.jsonl";

/// An entry of the journal. Times are in milliseconds since the load began.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A command is about to be sent for the first time.
    Sent {
        /// The command's `Idempotency-Key`, and the correlation id of its events.
        id: Uuid,
        /// The event that must be in the log if the command is accepted.
        expected: ExpectedEvent,
    },
    /// A command was accepted.
    Accepted {
        id: Uuid,
        /// The position that the answer's `Tidemark` names.
        position: i64,
        /// Earlier attempts with the same key whose outcome is unknown.
        unknown_attempts: u32,
    },
    /// A command was refused for good (4xx).
    Refused { id: Uuid, status: u16, code: String },
    /// The outcome of a command is unknown, and it is not sent again.
    Unknown { id: Uuid },
    /// A picture was uploaded.
    Uploaded { media: Uuid },
    /// A query was answered.
    Read {
        client: usize,
        /// The position that the request's `Tidemark` asked for.
        at_least: i64,
        /// The position that the answer's `Tidemark` names.
        position: i64,
        /// What the document lacks of what the client had written before.
        missing: Option<String>,
    },
    /// An attempt was answered 5xx.
    ServerError {
        at_ms: u64,
        status: u16,
        code: String,
        /// Whether the answer had a `Retry-After`.
        retry_after: bool,
    },
    /// The database goes on with a log that ends here. What was accepted beyond it is lost, and
    /// nothing is accepted any more until after this entry.
    LogSetBack { head: i64 },
    /// The injection of a fault begins.
    FaultBegins { at_ms: u64, fault: String },
    /// The fault is over and the service is back.
    FaultEnds { at_ms: u64, fault: String },
}

/// The one event that an accepted command must have become.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExpectedEvent {
    pub(crate) event_type: String,
    /// Members that the event's data must have; it may have more.
    pub(crate) data: Value,
}

/// An entry, and whom to tell once it is on disk.
type Pending = (Entry, Option<oneshot::Sender<()>>);

/// Writes entries in a thread of its own, which flushes many at once.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Option<Sender<Pending>>,
    writer: Option<JoinHandle<()>>,
    path: PathBuf,
}

impl Journal {
    /// Creates the journal's file in a directory.
    pub(crate) fn create(directory: &Path) -> Self {
        let path = directory.join(FILE);
        let file = File::create(&path).unwrap();
        let (entries, pending) = channel();
        Self {
            entries: Some(entries),
            writer: Some(thread::spawn(move || write(file, &pending))),
            path,
        }
    }

    /// Writes an entry some time soon.
    pub(crate) fn write(&self, entry: Entry) {
        self.send((entry, None));
    }

    /// Writes an entry, which is on disk when this returns.
    pub(crate) async fn write_durably(&self, entry: Entry) {
        let (durable, is_durable) = oneshot::channel();
        self.send((entry, Some(durable)));
        is_durable.await.unwrap();
    }

    /// Ends the journal and reads all its entries.
    pub(crate) fn finish(mut self) -> Vec<Entry> {
        self.close();
        let text = fs::read_to_string(&self.path).unwrap();
        let entry = |line| serde_json::from_str(line).unwrap();
        text.lines().map(entry).collect()
    }

    fn send(&self, pending: Pending) {
        let entries = self.entries.as_ref().unwrap();
        entries.send(pending).unwrap();
    }

    fn close(&mut self) {
        self.entries.take();
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

fn write(mut file: File, pending: &Receiver<Pending>) {
    let mut text = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(first) = pending.recv() {
        for (entry, durable) in std::iter::once(first).chain(pending.try_iter()) {
            serde_json::to_writer(&mut text, &entry).unwrap();
            text.push(b'\n');
            waiting.extend(durable);
        }
        file.write_all(&text).unwrap();
        text.clear();
        if !waiting.is_empty() {
            file.sync_data().unwrap();
        }
        for durable in waiting.drain(..) {
            // The client that waits may have been cancelled.
            let _ = durable.send(());
        }
    }
}

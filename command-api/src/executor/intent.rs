//! What goes into the executor and what comes out of it.

use std::sync::Arc;

use tidemark_domain::Command;
use tidemark_event_store::KeyUse;
use tidemark_events::{Event, Metadata};
use uuid::Uuid;

/// A command with all that surrounds it.
#[derive(Clone)]
pub struct Intent {
    /// What is wanted.
    pub command: Arc<dyn Command>,
    /// Who wants it, and why.
    pub metadata: Metadata,
    /// The stream that the answer is about.
    pub stream_id: Uuid,
    /// The HTTP status of the answer, if it is done.
    pub status: u16,
    /// The version that the client knows of that stream, if it says so.
    pub expected_version: Option<i64>,
    /// How the answer is recorded, if the client sent a key.
    pub idempotency: Option<Idempotency>,
    /// The keys of data subjects that the command's sealed values need.
    pub keys: Vec<KeyUse>,
}

/// Under what a command is recorded, so that it is done once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// Who sent it; the route, where nobody is logged in.
    pub principal: String,
    /// The key they sent.
    pub key: String,
    /// HMAC-SHA-256 of the request.
    pub request_hash: Vec<u8>,
}

/// A command that is in the log.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The HTTP status to answer with.
    pub status: u16,
    /// The stream that the answer is about.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// The log's timeline.
    pub timeline: i32,
    /// The position that holds all of the command.
    pub position: i64,
    /// What the command wrote; unknown where the answer was built again from its record.
    pub events: Arc<[Event]>,
    /// Whether this answers a command that was done before.
    pub replayed: bool,
}

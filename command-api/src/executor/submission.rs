//! What goes into the executor and what comes out of it: a submission, and the accepted command.

use std::sync::Arc;

use axum::http::StatusCode;
use tidemark_domain::Command;
use tidemark_event_store::{RecordId, SubjectKeyUse};
use tidemark_events::{Actor, Event, Metadata, SessionId, UserId};
use uuid::Uuid;

use crate::admission::Share;
use crate::error::Error;

/// A command as a client sent it, with what the request and its route say about it.
#[derive(Clone)]
pub struct Submission {
    /// The command to decide.
    pub command: Arc<dyn Command>,
    /// Who sent the command and what caused it: stored with each of its events.
    pub metadata: Metadata,
    /// The session in which a user sent the command.
    pub session: Option<SessionId>,
    /// In whose turn the command is decided, and whose share of the queue it takes.
    pub share: Share,
    /// The stream whose id and version the answer states.
    pub stream_id: Uuid,
    /// The HTTP status of the answer if the command is accepted.
    pub status: StatusCode,
    /// The versions of which the stream must have one before the command, if the client sent `If-Match`.
    pub expected_versions: Option<Vec<i64>>,
    /// Under which key the answer is recorded, if the client sent an `Idempotency-Key`.
    pub idempotency: Option<Idempotency>,
    /// The keys of the data subjects whose sealed values the command carries.
    pub subject_keys: Vec<SubjectKeyUse>,
}

impl Submission {
    /// The span of the request, if it is traced.
    pub(super) fn traceparent(&self) -> Option<&str> {
        self.metadata.traceparent.as_deref()
    }

    /// The streams that are known beforehand to be read: those that say who the caller is, and the command's own.
    pub(super) fn roots(&self) -> Vec<Uuid> {
        let mut roots = self.command.roots();
        if let Some((user, session)) = self.user() {
            roots.extend([user.0, session.0]);
        }
        roots
    }

    /// The user who sends the command, and in which session.
    pub(super) fn user(&self) -> Option<(UserId, SessionId)> {
        match (&self.metadata.actor, self.session) {
            (Actor::User(user), Some(session)) => Some((*user, session)),
            _ => None,
        }
    }
}

/// What identifies a request that must act once, however often it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// Of whom which key it is.
    pub id: RecordId,
    /// The principal and the `Idempotency-Key`, if a service sent them.
    pub service_key: Option<(String, String)>,
    /// HMAC-SHA-256 of the request: another request under the same key is refused.
    pub request_hash: Vec<u8>,
}

/// What a command comes to.
pub type Answer = Result<Accepted, Error>;

/// A command whose events are in the log.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The HTTP status of the answer.
    pub status: StatusCode,
    /// The stream whose id and version the answer states.
    pub stream_id: Uuid,
    /// The version of that stream after the command.
    pub version: i64,
    /// The timeline of the log.
    pub timeline: i32,
    /// The position of the command's last event: whoever has applied it has seen the whole command.
    pub position: i64,
    /// The events of the command; none if the answer was built from an idempotency record.
    pub events: Arc<[Event]>,
    /// Whether an idempotency record says that this command was accepted before.
    pub replayed: bool,
}

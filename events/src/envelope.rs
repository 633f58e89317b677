//! What surrounds the data of an event: who caused it and why, and its place in the log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{DecodeError, Event, Timestamp, UserId};

/// Who caused an event. As text it is `user:<id>`, `service:<name>` or `anonymous`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Actor {
    /// A user who is logged in.
    User(UserId),
    /// A part of the system or an operator's tool, which has the name of its credential.
    Service(String),
    /// Somebody who is not logged in, such as a person who registers.
    Anonymous,
}

/// The error that a text is not an actor.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an actor: `{0}`")]
pub struct ActorError(String);

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        let error = || ActorError(text.to_owned());
        match text.split_once(':') {
            Some(("user", id)) => id.parse().map(UserId).map(Self::User).map_err(|_| error()),
            Some(("service", name)) if !name.is_empty() => Ok(Self::Service(name.to_owned())),
            None if text == "anonymous" => Ok(Self::Anonymous),
            _ => Err(error()),
        }
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}

impl TryFrom<String> for Actor {
    type Error = ActorError;

    fn try_from(text: String) -> Result<Self, ActorError> {
        text.parse()
    }
}

/// Who caused an event and why. It holds nothing personal except ids, and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The actor who caused the event.
    pub actor: Actor,
    /// The id of the request that caused the event, directly or through reactors.
    pub correlation_id: Uuid,
    /// The id of the event that a reactor answered with this one. None if a client caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// The W3C trace context of the request. None if it was not traced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The SHA-256 of the stored bytes of `data`, a line feed, and the stored bytes of `metadata`.
///
/// Stored JSON never contains a line feed, so no two pairs of texts are hashed as the same bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EventHash(pub [u8; 32]);

impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An event as it stands in the log, not decoded: its texts are what was stored, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The place in the log: 1, 2, 3 … without gaps.
    pub position: i64,
    /// The id of the event: a UUIDv7 that is unique in the log.
    pub event_id: Uuid,
    /// The stream: the id of one auction, for example.
    pub stream_id: Uuid,
    /// The place in the stream: 1, 2, 3 … without gaps.
    pub version: i64,
    /// The name of the aggregate, such as `auction`.
    pub aggregate: String,
    /// The stored type, such as `auction.opened`.
    pub event_type: String,
    /// The version of the type's schema that `data` follows.
    pub schema_version: i16,
    /// The fields of the event, as JSON text.
    pub data: String,
    /// The [`Metadata`], as JSON text.
    pub metadata: String,
    /// When the event was recorded, by Postgres's clock. It never decreases from one position to the next.
    pub recorded_at: Timestamp,
}

/// A position of the log and the event there. The position alone does not say in which log it is: one that
/// was restored from a backup goes on with other events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPoint {
    /// The position; 0 is before the first event.
    pub position: i64,
    /// The event at the position. None at position 0, and where it is not known.
    pub event_id: Option<Uuid>,
}

impl LogPoint {
    /// Before the first event.
    pub const START: Self = Self {
        position: 0,
        event_id: None,
    };
}

impl Recorded {
    /// The position of the event, and the event there.
    #[must_use]
    pub const fn point(&self) -> LogPoint {
        LogPoint {
            position: self.position,
            event_id: Some(self.event_id),
        }
    }

    /// Decodes the event.
    ///
    /// # Errors
    /// See [`Event::decode`].
    pub fn decode(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.event_type, self.schema_version, &self.data)
    }

    /// Decodes the metadata.
    ///
    /// # Errors
    /// If the stored text is not [`Metadata`], as a newer build may have written it.
    pub fn metadata(&self) -> serde_json::Result<Metadata> {
        serde_json::from_str(&self.metadata)
    }

    /// The hash by which anybody can check that data and metadata are what was stored.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        let mut hasher = Sha256::new();
        hasher.update(&self.data);
        hasher.update(b"\n");
        hasher.update(&self.metadata);
        EventHash(hasher.finalize().into())
    }
}

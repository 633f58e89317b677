//! What surrounds a fact: who, why, and where in the log it stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{DecodeError, Event, Timestamp, UserId};

/// Who caused a fact. Text form: `user:<id>`, `service:<name>`, `anonymous`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Actor {
    /// Somebody who logged in.
    User(UserId),
    /// A part of the system, or an operator's tool, by the name of its credential.
    Service(String),
    /// Somebody who has not logged in, such as a person registering.
    Anonymous,
}

/// A text that names no actor.
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

/// Who and why, stored beside each fact. Holds nothing personal and nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Who caused it.
    pub actor: Actor,
    /// The request, or the chain of them, that it belongs to.
    pub correlation_id: Uuid,
    /// The event that a reactor answered with this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// W3C trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// SHA-256 over the stored bytes of `data`, a line feed, and the stored bytes of `metadata`.
///
/// JSON text written by us holds no raw line feed, so the pair is unambiguous.
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

/// A fact as it stands in the log, undecoded: its text is what was stored, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Place in the log: 1, 2, 3 … without gaps.
    pub position: i64,
    /// UUIDv7, unique in the log.
    pub event_id: Uuid,
    /// The aggregate instance.
    pub stream_id: Uuid,
    /// Place in the stream: 1, 2, 3 … without gaps.
    pub version: i64,
    /// The name of the aggregate.
    pub aggregate: String,
    /// The stored type, such as `auction.opened`.
    pub event_type: String,
    /// The version of the type's schema that `data` follows.
    pub schema_version: i16,
    /// The fact, JSON text.
    pub data: String,
    /// [`Metadata`], JSON text.
    pub metadata: String,
    /// When the log took it, by Postgres's clock; never falls with rising positions.
    pub recorded_at: Timestamp,
}

impl Recorded {
    /// Parses the fact.
    ///
    /// # Errors
    /// See [`Event::decode`].
    pub fn decode(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.event_type, self.schema_version, &self.data)
    }

    /// Parses who and why.
    ///
    /// # Errors
    /// If the stored text is not [`Metadata`].
    pub fn metadata(&self) -> serde_json::Result<Metadata> {
        serde_json::from_str(&self.metadata)
    }

    /// The hash that proves the stored bytes.
    #[must_use]
    pub fn hash(&self) -> EventHash {
        let mut hasher = Sha256::new();
        hasher.update(&self.data);
        hasher.update(b"\n");
        hasher.update(&self.metadata);
        EventHash(hasher.finalize().into())
    }
}

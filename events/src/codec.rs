//! Converts events to the columns of the log, which are type, schema version and data, and back.
//!
//! The tag of an aggregate's enum is the column `type`, and its content is the column `data`. The text of
//! `data` is made once, here, and never rewritten: the same bytes are hashed and sent to Kafka.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Aggregate, Event, upcast};

/// An event as the columns of the log hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The stored type, such as `auction.opened`.
    pub event_type: String,
    /// The version of the type's schema that `data` follows.
    pub schema_version: i16,
    /// The fields of the event, as JSON text.
    pub data: String,
}

/// Why this build cannot read an event from its stored columns.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// This build does not know the type, so a newer one wrote it.
    #[error("unknown event type `{0}`: written by a newer build")]
    UnknownType(String),
    /// This build does not know the schema version, so a newer one wrote it.
    #[error("`{event_type}` has schema version {found}, this build knows up to {known}")]
    UnknownVersion {
        /// The stored type.
        event_type: String,
        /// The schema version in the log.
        found: i16,
        /// The newest schema version that this build knows.
        known: i16,
    },
    /// The data does not have the shape of its type and schema version.
    #[error("`{event_type}` cannot be read: {source}")]
    Malformed {
        /// The stored type.
        event_type: String,
        /// The error of the JSON parser.
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// Whether a newer build wrote the event, so that it helps to wait until this process is updated.
    #[must_use]
    pub const fn is_newer_build(&self) -> bool {
        matches!(self, Self::UnknownType(_) | Self::UnknownVersion { .. })
    }
}

#[derive(Deserialize)]
struct Tagged<'a> {
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Event {
    /// The columns of this event.
    ///
    /// # Errors
    /// If the event cannot be written as JSON, which no event of this crate causes.
    pub fn encode(&self) -> serde_json::Result<Encoded> {
        let text = serde_json::to_string(self)?;
        let Tagged { event_type, data } = serde_json::from_str(&text)?;
        Ok(Encoded {
            event_type: event_type.to_owned(),
            schema_version: upcast::current_version(event_type),
            data: data.get().to_owned(),
        })
    }

    /// Reads an event from its columns. Data of an older schema version is upcast as JSON before the enum is
    /// parsed.
    ///
    /// # Errors
    /// [`DecodeError`] if a newer build wrote the event, or if its data does not have the shape of its type.
    pub fn decode(event_type: &str, schema_version: i16, data: &str) -> Result<Self, DecodeError> {
        let aggregate = aggregate_of(event_type)
            .ok_or_else(|| DecodeError::UnknownType(event_type.to_owned()))?;
        let malformed = |source| DecodeError::Malformed {
            event_type: event_type.to_owned(),
            source,
        };
        let known = upcast::current_version(event_type);
        if schema_version > known {
            return Err(DecodeError::UnknownVersion {
                event_type: event_type.to_owned(),
                found: schema_version,
                known,
            });
        }
        let upcast = upcast::upcast(event_type, schema_version, data).map_err(malformed)?;
        let tag = serde_json::to_string(event_type).map_err(malformed)?;
        let tagged = format!(r#"{{"type":{tag},"data":{upcast}}}"#);
        Self::parse(aggregate, &tagged).map_err(malformed)
    }
}

/// The aggregate that has events of this stored type; `None` if this build does not know the type.
fn aggregate_of(event_type: &str) -> Option<Aggregate> {
    let (aggregate, _) = event_type.split_once('.')?;
    Aggregate::from_name(aggregate).filter(|known| known.event_types().contains(&event_type))
}

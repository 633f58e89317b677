//! Facts to and from the columns of the log: type, schema version, data.
//!
//! The tag of an aggregate's enum is the `type` column and its content the `data` column. The text
//! of `data` is made once, here, and is never rewritten: hashes and Kafka carry the same bytes.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Aggregate, Event, upcast};

/// A fact as the columns of the log hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The stored type, such as `auction.opened`.
    pub event_type: String,
    /// The version of the type's schema that `data` follows.
    pub schema_version: i16,
    /// The fact as JSON text.
    pub data: String,
}

/// Why stored columns are not a fact that this build can read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The type was written by a newer build.
    #[error("unknown event type `{0}`: written by a newer build")]
    UnknownType(String),
    /// The schema version was written by a newer build.
    #[error("`{event_type}` has schema version {found}, this build knows up to {known}")]
    UnknownVersion {
        /// The stored type.
        event_type: String,
        /// The version in the log.
        found: i16,
        /// The newest version of this build.
        known: i16,
    },
    /// The data does not have the shape of its type and version.
    #[error("`{event_type}` cannot be read: {source}")]
    Malformed {
        /// The stored type.
        event_type: String,
        /// What the parser said.
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// Whether a newer build would know what to do with it, so that waiting for one is right.
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
    /// The columns of this fact.
    ///
    /// # Errors
    /// Only if a fact cannot be written as JSON, which none of ours is.
    pub fn encode(&self) -> serde_json::Result<Encoded> {
        let text = serde_json::to_string(self)?;
        let Tagged { event_type, data } = serde_json::from_str(&text)?;
        Ok(Encoded {
            event_type: event_type.to_owned(),
            schema_version: upcast::current_version(event_type),
            data: data.get().to_owned(),
        })
    }

    /// Reads a fact back, upcasting older schema versions as JSON before the enum is parsed.
    ///
    /// # Errors
    /// [`DecodeError`]: a newer build's type or version, or data that is not of its type's shape.
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

/// The aggregate whose events this build knows by that stored type.
fn aggregate_of(event_type: &str) -> Option<Aggregate> {
    let (aggregate, _) = event_type.split_once('.')?;
    Aggregate::from_name(aggregate).filter(|known| known.event_types().contains(&event_type))
}

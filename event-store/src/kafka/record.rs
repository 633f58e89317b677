//! Encodes an event as a Kafka record and decodes it again: `CloudEvents` 1.0 in binary mode.
//!
//! The payload is the stored bytes of `data`, and each attribute is a header `ce_…`. The header
//! `ce_metadata` holds the stored bytes of `metadata`, so that every reader can check the hash.

use std::str::FromStr;

use chrono::SecondsFormat;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use tidemark_events::{Metadata, Recorded, Timestamp};

const TYPE_PREFIX: &str = "tidemark.";

/// The timeline of the log that an event belongs to. A log restored from a backup starts a new one.
pub(crate) type Timeline = i32;

/// What a record says about its publication, beside the event itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    /// The position of the event before this one in the same partition; 0 for the first.
    pub(crate) previous: i64,
    /// The epoch of the relay's term.
    pub(crate) epoch: i64,
    /// The timeline of the log.
    pub(crate) timeline: Timeline,
}

impl Publication {
    /// The headers of the record of `event`.
    pub(crate) fn headers(&self, event: &Recorded) -> OwnedHeaders {
        let text = |number: i64| number.to_string();
        let mut headers = vec![
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", event.event_id.to_string()),
            ("ce_source", format!("/tidemark/{}", self.timeline)),
            ("ce_type", format!("{TYPE_PREFIX}{}", event.event_type)),
            (
                "ce_time",
                event
                    .recorded_at
                    .to_rfc3339_opts(SecondsFormat::Micros, true),
            ),
            ("ce_subject", event.stream_id.to_string()),
            ("content-type", "application/json".to_owned()),
            ("ce_position", text(event.position)),
            ("ce_streamversion", text(event.version)),
            ("ce_schemaversion", text(event.schema_version.into())),
            ("ce_previous", text(self.previous)),
            ("ce_epoch", text(self.epoch)),
            ("ce_timeline", text(self.timeline.into())),
            ("ce_hash", event.hash().to_string()),
        ];
        // These headers are for convenience and may be left out: ce_metadata has all of the metadata.
        if let Ok(Metadata {
            correlation_id,
            causation_id,
            traceparent,
            ..
        }) = event.metadata()
        {
            headers.push(("ce_correlationid", correlation_id.to_string()));
            headers.extend(causation_id.map(|id| ("ce_causationid", id.to_string())));
            headers.extend(traceparent.map(|parent| ("ce_traceparent", parent)));
        }
        headers.push(("ce_metadata", event.metadata.clone()));
        let empty = OwnedHeaders::new_with_capacity(headers.len());
        headers.iter().fold(empty, |all, (key, value)| {
            all.insert(Header {
                key,
                value: Some(value),
            })
        })
    }
}

/// A record that was decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// The event. Its hash was checked.
    pub(crate) event: Recorded,
    /// The position of the event before this one in the same partition; 0 for the first.
    pub(crate) previous: i64,
    /// The timeline of the log that it was published from.
    pub(crate) timeline: Timeline,
}

/// Why a record cannot be decoded as an event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("its `{0}` is missing or unreadable")]
    Unreadable(&'static str),
    #[error("its bytes do not match its hash")]
    HashMismatch,
}

impl Record {
    /// Decodes a record.
    pub(crate) fn decode(message: &impl Message) -> Result<Self, DecodeError> {
        let headers = message
            .headers()
            .ok_or(DecodeError::Unreadable("headers"))?;
        let event_type = header(headers, "ce_type")?
            .strip_prefix(TYPE_PREFIX)
            .ok_or(DecodeError::Unreadable("ce_type"))?;
        let (aggregate, _) = event_type
            .split_once('.')
            .ok_or(DecodeError::Unreadable("ce_type"))?;
        let event = Recorded {
            position: parsed(headers, "ce_position")?,
            event_id: parsed(headers, "ce_id")?,
            stream_id: parsed(headers, "ce_subject")?,
            version: parsed(headers, "ce_streamversion")?,
            aggregate: aggregate.to_owned(),
            event_type: event_type.to_owned(),
            schema_version: parsed(headers, "ce_schemaversion")?,
            data: text(message.payload(), "payload")?.to_owned(),
            metadata: header(headers, "ce_metadata")?.to_owned(),
            recorded_at: parsed::<Timestamp>(headers, "ce_time")?,
        };
        if event.hash().to_string() != header(headers, "ce_hash")? {
            return Err(DecodeError::HashMismatch);
        }
        Ok(Self {
            event,
            previous: parsed(headers, "ce_previous")?,
            timeline: parsed(headers, "ce_timeline")?,
        })
    }
}

/// The text of the header with this name.
fn header<'a>(headers: &'a impl Headers, name: &'static str) -> Result<&'a str, DecodeError> {
    let found = headers.iter().find(|header| header.key == name);
    text(found.and_then(|header| header.value), name)
}

fn parsed<T: FromStr>(headers: &impl Headers, name: &'static str) -> Result<T, DecodeError> {
    header(headers, name)?
        .parse()
        .map_err(|_| DecodeError::Unreadable(name))
}

fn text<'a>(bytes: Option<&'a [u8]>, name: &'static str) -> Result<&'a str, DecodeError> {
    bytes
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .ok_or(DecodeError::Unreadable(name))
}

#[cfg(test)]
mod tests;

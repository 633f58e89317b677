//! Upcasters, which change the data of events from older schema versions to the current one, as JSON.
//!
//! The current schema version of a type is 1 until an upcaster is listed for it. Each upcaster raises the
//! version by one.

use std::borrow::Cow;

use serde_json::Value;

/// Changes the data of one event type from one schema version to the next.
#[derive(Debug)]
pub struct Upcaster {
    /// The stored type.
    pub event_type: &'static str,
    /// The schema version that it reads. It writes the next one.
    pub from: i16,
    /// The change of the data.
    pub change: fn(Value) -> Value,
}

/// All upcasters.
pub const UPCASTERS: &[Upcaster] = &[];

/// The schema version in which this build writes events of a type.
#[must_use]
pub fn current_version(event_type: &str) -> i16 {
    steps(UPCASTERS, event_type, 1)
        .map(|step| step.from + 1)
        .max()
        .unwrap_or(1)
}

/// The data in the current schema version. Data that is current already keeps its bytes.
pub(crate) fn upcast<'a>(
    event_type: &str,
    version: i16,
    data: &'a str,
) -> serde_json::Result<Cow<'a, str>> {
    upcast_by(UPCASTERS, event_type, version, data)
}

fn upcast_by<'a>(
    upcasters: &[Upcaster],
    event_type: &str,
    version: i16,
    data: &'a str,
) -> serde_json::Result<Cow<'a, str>> {
    let mut steps = steps(upcasters, event_type, version).peekable();
    if steps.peek().is_none() {
        return Ok(Cow::Borrowed(data));
    }
    let upcast = steps.fold(serde_json::from_str(data)?, |value, step| {
        (step.change)(value)
    });
    serde_json::to_string(&upcast).map(Cow::Owned)
}

fn steps<'a>(
    upcasters: &'a [Upcaster],
    event_type: &'a str,
    version: i16,
) -> impl Iterator<Item = &'a Upcaster> {
    upcasters
        .iter()
        .filter(move |step| step.event_type == event_type && step.from >= version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENAMES: &[Upcaster] = &[
        Upcaster {
            event_type: "x.y",
            from: 1,
            change: |v| serde_json::json!({"b": v["a"]}),
        },
        Upcaster {
            event_type: "x.y",
            from: 2,
            change: |v| serde_json::json!({"c": v["b"]}),
        },
    ];

    #[test]
    fn data_passes_through_every_upcaster_from_its_version_on() {
        assert_eq!(
            upcast_by(RENAMES, "x.y", 1, r#"{"a":1}"#).unwrap(),
            r#"{"c":1}"#
        );
        assert_eq!(
            upcast_by(RENAMES, "x.y", 2, r#"{"b":1}"#).unwrap(),
            r#"{"c":1}"#
        );
    }

    #[test]
    fn current_data_keeps_its_bytes() {
        let odd = r#"{ "c":1.0 }"#;
        assert_eq!(upcast_by(RENAMES, "x.y", 3, odd).unwrap(), odd);
        assert_eq!(upcast_by(RENAMES, "x.z", 1, odd).unwrap(), odd);
    }
}

//! Older shapes of facts, lifted to the current one as JSON.
//!
//! A type is at version 1 until an upcaster is listed for it; each upcaster lifts one version by one.

use std::borrow::Cow;

use serde_json::Value;

/// Lifts the data of one type from one schema version to the next.
#[derive(Debug)]
pub struct Upcaster {
    /// The stored type.
    pub event_type: &'static str,
    /// The version it reads; it writes the next one.
    pub from: i16,
    /// The change, on the data.
    pub lift: fn(Value) -> Value,
}

/// Every upcaster there is: the history of our shapes.
pub const UPCASTERS: &[Upcaster] = &[];

/// The schema version that this build writes for a type.
#[must_use]
pub fn current_version(event_type: &str) -> i16 {
    steps(UPCASTERS, event_type, 1)
        .map(|step| step.from + 1)
        .max()
        .unwrap_or(1)
}

/// The data as the current version has it; untouched where it is current already.
pub(crate) fn upcast<'a>(
    event_type: &str,
    version: i16,
    data: &'a str,
) -> serde_json::Result<Cow<'a, str>> {
    lift(UPCASTERS, event_type, version, data)
}

fn lift<'a>(
    upcasters: &[Upcaster],
    event_type: &str,
    version: i16,
    data: &'a str,
) -> serde_json::Result<Cow<'a, str>> {
    let mut steps = steps(upcasters, event_type, version).peekable();
    if steps.peek().is_none() {
        return Ok(Cow::Borrowed(data));
    }
    let lifted = steps.fold(serde_json::from_str(data)?, |value, step| {
        (step.lift)(value)
    });
    serde_json::to_string(&lifted).map(Cow::Owned)
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
            lift: |v| serde_json::json!({"b": v["a"]}),
        },
        Upcaster {
            event_type: "x.y",
            from: 2,
            lift: |v| serde_json::json!({"c": v["b"]}),
        },
    ];

    #[test]
    fn each_version_is_lifted_by_every_later_step() {
        assert_eq!(lift(RENAMES, "x.y", 1, r#"{"a":1}"#).unwrap(), r#"{"c":1}"#);
        assert_eq!(lift(RENAMES, "x.y", 2, r#"{"b":1}"#).unwrap(), r#"{"c":1}"#);
    }

    #[test]
    fn current_data_keeps_its_bytes() {
        let odd = r#"{ "c":1.0 }"#;
        assert_eq!(lift(RENAMES, "x.y", 3, odd).unwrap(), odd);
        assert_eq!(lift(RENAMES, "x.z", 1, odd).unwrap(), odd);
    }
}

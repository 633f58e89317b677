//! The keys of settings, such as `http.body_bytes_max`, and the check that a source sets no unknown one.

use std::collections::BTreeSet;

use config::{Map, Source, Value, ValueKind};

use super::Error;

/// The environment variable that sets `key`.
pub(super) fn variable(key: &str) -> String {
    format!("TIDEMARK_{}", key.replace('.', "__").to_uppercase())
}

/// Checks that `source` sets only `known` keys. `origin` names the source of a key for people.
pub(super) fn check(
    known: &BTreeSet<String>,
    source: &impl Source,
    origin: impl Fn(&str) -> String,
) -> Result<(), Error> {
    let unknown = keys_of(&source.collect()?)
        .into_iter()
        .find(|key| !known.contains(key) && !holds_name(key));
    unknown.map_or(Ok(()), |key| {
        Err(Error::UnknownKey {
            origin: origin(&key),
            key,
        })
    })
}

/// Whether the key holds the name of a service or a read model. Not all of these have defaults.
fn holds_name(key: &str) -> bool {
    let is_service_grant = key.starts_with("services.")
        && (key.ends_with(".commands") || key.ends_with(".acts_as_reactors"));
    let is_of_read_model = ["projection.shards.", "projection.lag_objectives_ms."]
        .iter()
        .any(|section| key.starts_with(section));
    is_service_grant || is_of_read_model
}

/// The keys of all values below `map`.
pub(super) fn keys_of(map: &Map<String, Value>) -> BTreeSet<String> {
    let below = |(key, value): (&String, &Value)| {
        if let ValueKind::Table(table) = &value.kind {
            keys_of(table)
                .into_iter()
                .map(|inner| format!("{key}.{inner}"))
                .collect()
        } else {
            vec![key.clone()]
        }
    };
    map.iter().flat_map(below).collect()
}

//! Lists: arrays in a file, comma-separated text in the environment.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The most pauses between attempts that can be configured.
pub(super) const PAUSES_MAX: usize = 50;

pub(super) fn deserialize<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err: Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum List<T> {
        Text(String),
        Items(Vec<T>),
    }
    match List::deserialize(deserializer)? {
        List::Items(items) => Ok(items),
        List::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| {
                item.parse()
                    .map_err(|error| D::Error::custom(format!("{item:?}: {error}")))
            })
            .collect(),
    }
}

//! The columns of a read model's table beside the document: what its rows are searched and sorted by. They are made here and
//! not by Postgres, which would read the document once for each of them.

use chrono::{DateTime, TimeZone, Utc};
use tidemark_events::KeyedHash;
use uuid::Uuid;

/// The length of a keyed hash.
const HASH_CHARS: usize = 64;

/// A column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name of the column.
    pub name: &'static str,
    /// What the row has there.
    pub value: Value,
}

/// A value of a column; null if it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A `bigint`, or an `integer` if its values fit.
    Integer(Option<i64>),
    /// A `text`.
    Text(Option<String>),
    /// A `timestamptz`.
    Time(Option<DateTime<Utc>>),
    /// A `uuid`.
    Uuid(Option<Uuid>),
}

/// A column `search` that Postgres makes of other columns, whenever one of these changes.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The function that makes it.
    pub function: &'static str,
    /// The columns that are its arguments.
    pub of: &'static [&'static str],
}

impl Column {
    /// A column of numbers.
    #[must_use]
    pub fn integer(name: &'static str, value: impl Into<Option<i64>>) -> Self {
        let value = Value::Integer(value.into());
        Self { name, value }
    }

    /// A column of texts. Postgres takes no null character; in its place stands the character for what cannot be shown.
    #[must_use]
    pub fn text<'a>(name: &'static str, value: impl Into<Option<&'a str>>) -> Self {
        let shown = |text: &str| text.replace('\0', "\u{fffd}");
        let value = Value::Text(value.into().map(shown));
        Self { name, value }
    }

    /// A column of keyed hashes. An index takes no text of any length, so that it is cut off after as many characters as these
    /// have.
    #[must_use]
    pub fn hash<'a>(name: &'static str, value: impl Into<Option<&'a KeyedHash>>) -> Self {
        let hash = value.into().map(|hash| hash.0.as_str());
        let cut = |text: &'a str| match text.char_indices().nth(HASH_CHARS) {
            Some((end, _)) => &text[..end],
            None => text,
        };
        Self::text(name, hash.map(cut))
    }

    /// A column of moments. Postgres knows none before 4713 BC, which is in the place of earlier ones.
    #[must_use]
    pub fn time(name: &'static str, value: impl Into<Option<DateTime<Utc>>>) -> Self {
        let known = |time: DateTime<Utc>| {
            let earliest = Utc.with_ymd_and_hms(-4712, 1, 1, 0, 0, 0).single();
            earliest.map_or(time, |earliest| time.max(earliest))
        };
        let value = Value::Time(value.into().map(known));
        Self { name, value }
    }

    /// A column of ids.
    #[must_use]
    pub fn uuid(name: &'static str, value: impl Into<Option<Uuid>>) -> Self {
        let value = Value::Uuid(value.into());
        Self { name, value }
    }
}

impl Column {
    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let text = match &self.value {
            Value::Text(Some(text)) => text.len(),
            Value::Text(None) | Value::Integer(_) | Value::Time(_) | Value::Uuid(_) => 0,
        };
        size_of::<Self>() + text
    }
}

impl Value {
    /// The type in Postgres of an array of such values.
    pub(crate) const fn array_type(&self) -> &'static str {
        match self {
            Self::Integer(_) => "bigint[]",
            Self::Text(_) => "text[]",
            Self::Time(_) => "timestamptz[]",
            Self::Uuid(_) => "uuid[]",
        }
    }
}

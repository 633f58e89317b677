//! The arguments that several commands take, each with what is said of one that is none.

use std::ffi::OsStr;

use chrono::{DateTime, Utc};
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, Error};
use tidemark_read_models::folds;
use uuid::Uuid;

/// A moment, in RFC 3339.
pub(super) fn time(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let time = text.parse();
    time.map_err(|_| "it must be a time such as 2027-01-31T12:00:00Z")
}

/// The id of a row.
pub(super) fn id(text: &str) -> Result<Uuid, &'static str> {
    text.parse().map_err(|_| "it must be a UUID")
}

/// The name of a read model. Shells complete those of this build; any other name is taken, too, since another build may have
/// more, and whoever uses it says which there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadModelName;

impl TypedValueParser for ReadModelName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = folds()
            .into_iter()
            .map(|(name, _)| PossibleValue::new(name));
        Some(Box::new(names))
    }
}

/// The version of this build's fold of a read model.
pub(super) fn fold_version(read_model: &str) -> Result<i32, super::Error> {
    let folds = folds();
    let mut found = folds.iter().filter(|(name, _)| *name == read_model);
    found.next().map(|(_, version)| *version).ok_or_else(|| {
        let names: Vec<_> = folds.iter().map(|(name, _)| *name).collect();
        super::Error::UnknownReadModel(read_model.to_owned(), names.join(", "))
    })
}

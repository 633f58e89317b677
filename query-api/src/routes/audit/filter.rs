//! Which events of the log are asked for.

use garde::Validate;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tidemark_events::audit::reading::{Name, Scope};
use tidemark_events::{Actor, Aggregate, Moment, Stored};
use tidemark_platform::http::{FieldError, Problem};
use utoipa::IntoParams;

/// The events that are asked for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only events above this position: 0, or `next` of the previous page.
    #[serde(default)]
    #[garde(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    pub(super) after_position: i64,
    /// Only events of this type.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>)]
    pub(super) event_type: Option<Name>,
    /// Only events of this aggregate.
    #[param(value_type = Option<String>)]
    pub(super) aggregate: Option<Name>,
    /// Only events that this actor caused: `user:<id>`, `service:<name>` or `anonymous`.
    #[serde(default, deserialize_with = "actor")]
    #[param(value_type = Option<String>, min_length = 1, max_length = 100, example = "service:auction-timer")]
    pub(super) actor: Option<Name>,
    /// Only events that were recorded at this moment (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(super) from: Option<Moment>,
    /// Only events that were recorded before this moment (RFC 3339), which must not be before `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(super) until: Option<Moment>,
    /// Whether readings of history are included. Without it, they are if `type` or `aggregate` names them.
    readings: Option<bool>,
    /// The number of items on the page.
    #[param(minimum = 1)]
    pub(super) limit: Option<i64>,
}

/// Reads an actor as the log writes it: the id of a user has other forms.
fn actor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Name>, D::Error> {
    let text = Name::deserialize(deserializer)?;
    let actor: Result<Actor, _> = text.as_str().parse();
    let must = "must be user:<id>, service:<name> or anonymous";
    let actor = actor.map_err(|_| D::Error::custom(must))?;
    let actor = Name::try_from(actor.to_string()).map_err(D::Error::custom)?;
    Ok(Some(actor))
}

impl Filter {
    /// Refuses what no event can have, or a typing error would look like an event that never happened.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let aggregate = self.aggregate.as_ref();
        let event_type = self.event_type.as_ref();
        let is_of_another = |aggregate: &Name| {
            let of_type = event_type.and_then(|it| it.as_str().split('.').next());
            of_type.is_some_and(|it| it != aggregate.as_str())
        };
        let hides_all = self.readings == Some(false) && self.names_readings();
        let is_reversed = self
            .from
            .zip(self.until)
            .is_some_and(|(from, until)| until < from);
        let told = |is_told: bool, fault: &str| is_told.then(|| fault.to_owned());
        let faults = [
            ("type", event_type.and_then(fault_of_type)),
            ("aggregate", aggregate.and_then(fault_of_aggregate)),
            (
                "aggregate",
                told(
                    aggregate.is_some_and(is_of_another),
                    "must be the one that has events of this type",
                ),
            ),
            (
                "readings",
                told(
                    hides_all,
                    "must not be false if type or aggregate names readings",
                ),
            ),
            ("until", told(is_reversed, "must not be before from")),
        ];
        let faults = faults.into_iter().filter_map(|(name, fault)| {
            let fault = fault?;
            Some(FieldError::parameter(name, fault))
        });
        let faults: Vec<_> = faults.collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(faults))
    }

    pub(super) fn includes_readings(&self) -> bool {
        self.readings.unwrap_or_else(|| self.names_readings())
    }

    fn names_readings(&self) -> bool {
        let names = [&self.event_type, &self.aggregate].into_iter().flatten();
        let reading = Aggregate::Reading.name();
        names
            .map(Name::as_str)
            .any(|it| it.split('.').next() == Some(reading))
    }

    /// What is recorded of a reading with this filter.
    pub(super) fn scope(self) -> Scope {
        Scope::Log {
            after_position: self.after_position,
            event_type: self.event_type.map(Stored::from),
            aggregate: self.aggregate.map(Stored::from),
            actor: self.actor.map(Stored::from),
            from: self.from.map(Stored::from),
            until: self.until.map(Stored::from),
        }
    }
}

/// What is wrong with the type of an event, if anything is.
fn fault_of_type(event_type: &Name) -> Option<String> {
    let event_type = event_type.as_str();
    let (aggregate, _) = event_type.split_once('.').unwrap_or((event_type, ""));
    let Some(aggregate) = Aggregate::from_name(aggregate) else {
        let listed = names_of_aggregates();
        return Some(format!(
            "must begin with an aggregate and a dot; the aggregates are {listed}"
        ));
    };
    let listed = aggregate.event_types();
    let is_listed = listed.contains(&event_type);
    (!is_listed).then(|| format!("must be one of {}", listed.join(", ")))
}

/// What is wrong with the name of an aggregate, if anything is.
fn fault_of_aggregate(aggregate: &Name) -> Option<String> {
    let is_unknown = Aggregate::from_name(aggregate.as_str()).is_none();
    is_unknown.then(|| format!("must be one of {}", names_of_aggregates()))
}

fn names_of_aggregates() -> String {
    let names: Vec<_> = Aggregate::ALL.iter().map(|it| it.name()).collect();
    names.join(", ")
}

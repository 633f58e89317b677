//! The events of the log in order, filtered. The read model `history` finds their positions; the log
//! itself has the events.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use sqlx::PgPool;
use tidemark_events::audit::reading::{Name, Scope};
use tidemark_events::{Actor, Aggregate, Moment, Stored};
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, FieldError, Json, Problem, Query};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::audit::history::History;
use utoipa::IntoParams;

use super::history_event::{EventPage, page};
use super::{record, require_auditor};
use crate::app::App;
use crate::error::{Error, NamedBy};
use crate::freshness::{Fetched, QueriedShards};

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
    after_position: i64,
    /// Only events of this type, such as `auction.opened`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    event_type: Option<Name>,
    /// Only events of this aggregate, such as `auction`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    aggregate: Option<Name>,
    /// Only events that this actor caused: `user:<id>`, `service:<name>` or `anonymous`.
    #[serde(default, deserialize_with = "actor")]
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    actor: Option<Name>,
    /// Only events that were recorded at this moment (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Only events that were recorded before this moment (RFC 3339), which must not be before `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// Whether readings of history are included. Without it, they are if `type` or `aggregate` names them.
    readings: Option<bool>,
    /// The number of items on the page.
    #[param(minimum = 1)]
    limit: Option<i64>,
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

/// List the events of the log (for auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/events",
    operation_id = "list_events",
    tag = "audit",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = EventPage))
)]
pub(super) async fn events(
    State(app): State<App>,
    user: User,
    correlation: Correlation,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<Response, Error> {
    require_auditor(&user)?;
    filter.check()?;
    let limit = app.limit(filter.limit)?;
    let shards = [QueriedShards::all::<History>()];
    let query = || {
        select(
            &app.pools.audit,
            &filter,
            limit,
            app.limits.examined_rows_max,
        )
    };
    let examined = app.freshness.fetch(token, shards, query).await?;
    if filter.after_position > examined.head {
        return Err(Error::FuturePosition(NamedBy::AfterPosition));
    }
    let reflected = (examined.token(), examined.mark());
    let cut = examined.items.last().filter(|last| last.is_last);
    let cut = cut.map(|last| last.position);
    let found = examined.items.iter().filter(|it| it.is_found);
    let positions: Vec<_> = found.map(|it| it.position).collect();
    let events = app.log.at(&positions).await?;
    record(&app, &correlation, &user, filter.scope()).await?;
    let mut page = page(events, limit, |last| last.position)?;
    page.next = page.next.or(cut.map(|position| position.to_string()));
    let (reflected, mark) = reflected;
    Ok((reflected, mark, Json(page)).into_response())
}

impl Filter {
    /// Refuses what no event can have, or a typing error would look like an event that never happened.
    fn check(&self) -> Result<(), Problem> {
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

    fn includes_readings(&self) -> bool {
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
    fn scope(self) -> Scope {
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

/// A position that was examined.
struct Examined {
    position: i64,
    /// Whether the filter admits the event there.
    is_found: bool,
    /// Whether so many were examined before that nothing is known of what comes after it.
    is_last: bool,
}

/// The statement of [`select`] that goes through the index of `$through`, which has positions as `$position`.
macro_rules! select_through {
    ($pool:ident, $filter:ident, $limit:ident, $examined_max:ident, $through:literal, $position:literal) => {
        sqlx::query!(
            r#"
            select s.timeline as "timeline!",
                   s.head as "head!",
                   s.position as "position!",
                   s.blocked_at,
                   s.parked_at,
                   coalesce(w.positions, '{}') as "positions!",
                   coalesce(w.are_found, '{}') as "are_found!",
                   coalesce(w.are_last, '{}') as "are_last!"
              from serving s
             cross join lateral (
                   select array_agg(e.position order by e.position) as positions,
                          array_agg(e.is_found order by e.position) as are_found,
                          array_agg(e.is_last order by e.position) as are_last
                     from (
                          select *
                            from (
                                 select examined.position,
                                        row_number() over (order by examined.position) = $9::bigint as is_last,
                                        ($2::text is null or examined.event_type = $2)
                                            and ($3::text is null or examined.aggregate = $3)
                                            and ($4::text is null or examined.actor = $4)
                                            and ($7::boolean or examined.aggregate <> 'reading') as is_found
                                   from (
                                        select "# + $position + r#" as position,
                                               r.event_type,
                                               r.aggregate,
                                               r.actor
                                          from history_rows r
                                         where r.generation = s.generation
                                           and "# + $through + r#"
                                           and "# + $position + r#" > greatest(
                                                   $1::bigint, position_before($5::timestamptz))
                                           and "#
                + $position
                + r#" <= least(
                                                   s.position,
                                                   s.parked_at - 1,
                                                   position_before($6::timestamptz))
                                         order by "# + $position + r#"
                                         limit $9
                                        ) examined
                                 ) numbered
                           where is_found or is_last
                           order by position
                           limit $8::bigint
                          ) e
                   ) w
             where s.read_model = 'history'
            "#,
            $filter.after_position,
            $filter.event_type.as_ref().map(Name::as_str),
            $filter.aggregate.as_ref().map(Name::as_str),
            $filter.actor.as_ref().map(Name::as_str),
            $filter.from.map(Moment::timestamp),
            $filter.until.map(Moment::timestamp),
            $filter.includes_readings(),
            $limit,
            $examined_max,
        )
        .fetch_one($pool)
        .await
        .map(|found| {
            let flags = found.are_found.into_iter().zip(found.are_last);
            let items = found.positions.into_iter().zip(flags);
            let items = items.map(|(position, (is_found, is_last))| Examined {
                position,
                is_found,
                is_last,
            });
            Fetched {
                timeline: found.timeline,
                head: found.head,
                position: found.position,
                blocked_at: found.blocked_at,
                parked_at: found.parked_at,
                is_one_row: false,
                items: items.collect(),
            }
        })
    };
}

/// The positions of the events, up to the one that all shards have applied. Beyond it, a shard that is
/// behind, or a row that is parked, would leave gaps, and no later page would show what is missing.
///
/// They are examined in the order of the log, through the index of the part of the filter by which there are the
/// fewest.
async fn select(
    pool: &PgPool,
    filter: &Filter,
    limit: i64,
    examined_max: i64,
) -> sqlx::Result<Fetched<Examined>> {
    match filter {
        Filter { actor: Some(_), .. } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.actor = $4",
            "r.position + 0"
        ),
        Filter {
            event_type: Some(_),
            ..
        } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.event_type = $2",
            "r.position + 0"
        ),
        Filter {
            aggregate: Some(_), ..
        } => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.aggregate = $3",
            "r.position + 0"
        ),
        Filter { .. } if !filter.includes_readings() => select_through!(
            pool,
            filter,
            limit,
            examined_max,
            "r.aggregate <> 'reading'",
            "r.position + 0"
        ),
        Filter { .. } => select_through!(pool, filter, limit, examined_max, "true", "r.position"),
    }
}

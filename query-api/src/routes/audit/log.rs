//! The events of the log in order, filtered. The read model `history` finds their positions; the log
//! itself has the events.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use sqlx::PgPool;
use tidemark_events::audit::reading::{Name, Scope};
use tidemark_events::{Moment, Stored};
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, Json, Query};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::audit::history::History;
use utoipa::IntoParams;

use super::history_event::{EventPage, page};
use super::{record, require_auditor};
use crate::app::App;
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards};

/// The events that are asked for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only events above this position: 0, or `next` of the previous page.
    #[serde(default)]
    #[garde(range(min = 0))]
    #[param(minimum = 0)]
    after_position: i64,
    /// Only events of this type, such as `auction.opened`.
    #[serde(rename = "type")]
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    event_type: Option<Name>,
    /// Only events of this aggregate, such as `auction`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    aggregate: Option<Name>,
    /// Only events that this actor caused: `user:<id>`, `service:<name>` or `anonymous`.
    #[param(value_type = Option<String>, min_length = 1, max_length = 100)]
    actor: Option<Name>,
    /// Only events that were recorded at this moment (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Only events that were recorded before this moment (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// Whether readings of history are included.
    #[serde(default)]
    readings: bool,
    /// The number of items on the page.
    #[param(minimum = 1)]
    limit: Option<i64>,
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
    let limit = app.limit(filter.limit)?;
    let shards = [QueriedShards::all::<History>()];
    let query = || select(&app.pool, &filter, limit);
    let positions = app.freshness.fetch(token, shards, query).await?;
    if filter.after_position > positions.head {
        return Err(Error::FuturePosition);
    }
    let events = app.log.at(&positions.items).await?;
    record(&app, &correlation, &user, filter.scope()).await?;
    let page = page(events, limit, |last| last.position)?;
    Ok((positions.token(), positions.mark(), Json(page)).into_response())
}

impl Filter {
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

/// The positions of the events, up to the one that all shards have applied. Beyond it, a shard that is
/// behind, or a row that is parked, would leave gaps, and no later page would show what is missing.
async fn select(pool: &PgPool, filter: &Filter, limit: i64) -> sqlx::Result<Fetched<i64>> {
    query_all_shards!(
        i64,
        "history",
        r#"
        select r.position
          from history_rows r
         where r.generation = s.generation
           and r.position > $1
           and r.position <= s.position
           and (s.parked_at is null or r.position < s.parked_at)
           and ($2::text is null or r.event_type = $2)
           and ($3::text is null or r.aggregate = $3)
           and ($4::text is null or r.actor = $4)
           and ($5::timestamptz is null or r.recorded_at >= $5)
           and ($6::timestamptz is null or r.recorded_at < $6)
           and ($7 or r.aggregate <> 'reading')
         order by r.position
         limit $8
        "#,
        filter.after_position,
        filter.event_type.as_ref().map(Name::as_str),
        filter.aggregate.as_ref().map(Name::as_str),
        filter.actor.as_ref().map(Name::as_str),
        filter.from.map(Moment::timestamp),
        filter.until.map(Moment::timestamp),
        filter.readings,
        limit,
    )
    .fetch_one(pool)
    .await
}

//! The log by position, filtered: the read model `history` finds positions, the log has the events.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use sqlx::PgPool;
use tidemark_events::Timestamp;
use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, Json, Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::token::Tidemark;
use tidemark_read_models::audit::history::History;
use utoipa::IntoParams;

use super::event::{HistoryEvent, page};
use super::{record, require_auditor};
use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::watch::Rows;

/// Characters of a type, an aggregate or an actor at most.
const NAME_MAX: usize = 100;

/// Which events.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Positions above this one: 0, or `next` of the page before.
    #[serde(default)]
    #[garde(range(min = 0))]
    #[param(minimum = 0)]
    after_position: i64,
    /// Only this type, such as `auction.opened`.
    #[serde(rename = "type")]
    #[garde(length(chars, max = NAME_MAX))]
    event_type: Option<String>,
    /// Only this aggregate, such as `auction`.
    #[garde(length(chars, max = NAME_MAX))]
    aggregate: Option<String>,
    /// Only what this actor caused: `user:<id>`, `service:<name>` or `anonymous`.
    #[garde(length(chars, max = NAME_MAX))]
    actor: Option<String>,
    /// Only from this moment on (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Only before this moment (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Whether readings of history are shown too.
    #[serde(default)]
    readings: bool,
    /// Items on the page.
    limit: Option<i64>,
}

/// The events of the log (auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/events",
    tag = "audit",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = Page<HistoryEvent>), Problem)
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
    let rows = [Rows::any::<History>()];
    let found = app.settled(token, rows, || select(&app.pool, &filter, limit));
    let found = found.await?;
    let events = app.log.at(&found.items).await?;
    record(&app, &correlation, &user, filter.scope()).await?;
    let page = page(events, limit, |last| last.position)?;
    Ok((found.token(), Json(page)).into_response())
}

impl Filter {
    fn scope(self) -> Scope {
        Scope::Log {
            after_position: self.after_position,
            event_type: self.event_type,
            aggregate: self.aggregate,
            actor: self.actor,
            from: self.from,
            until: self.until,
        }
    }
}

/// Ends where all shards are: beyond that, what a page lacks would never be shown.
async fn select(pool: &PgPool, filter: &Filter, limit: i64) -> sqlx::Result<Snapshot<i64>> {
    sqlx::query_as!(
        Snapshot::<i64>,
        r#"
        select s.timeline as "timeline!",
               s.head as "head!",
               s.position as "position!",
               s.blocked_at,
               array(
                   select r.position
                     from history_rows r
                    where r.generation = s.generation
                      and r.position > $1
                      and r.position <= s.position
                      and ($2::text is null or r.event_type = $2)
                      and ($3::text is null or r.aggregate = $3)
                      and ($4::text is null or r.actor = $4)
                      and ($5::timestamptz is null or r.recorded_at >= $5)
                      and ($6::timestamptz is null or r.recorded_at < $6)
                      and ($7 or r.aggregate <> 'reading')
                    order by r.position
                    limit $8
               ) as "items!"
          from serving s
         where s.read_model = 'history'
        "#,
        filter.after_position,
        filter.event_type,
        filter.aggregate,
        filter.actor,
        filter.from,
        filter.until,
        filter.readings,
        limit,
    )
    .fetch_one(pool)
    .await
}

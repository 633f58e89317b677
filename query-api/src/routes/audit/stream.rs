//! The events of one stream in order.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, Json, Path, Problem, Query};
use tidemark_platform::pagination::Page;
use tidemark_platform::tidemark::Tidemark;
use utoipa::IntoParams;
use uuid::Uuid;

use super::history_event::{HistoryEvent, page};
use super::{fresh_head, record, require_auditor};
use crate::app::App;
use crate::error::Error;

/// The part of the stream that is asked for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only events above this version: 0, or `next` of the previous page.
    #[serde(default)]
    #[garde(range(min = 0))]
    #[param(minimum = 0)]
    after_version: i64,
    /// The number of items on the page.
    limit: Option<i64>,
}

/// List the events of a stream (for auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/streams/{id}/events",
    tag = "audit",
    params(("id" = Uuid, Path), Part),
    security(("user" = [])),
    responses((status = 200, body = Page<HistoryEvent>), Problem)
)]
pub(super) async fn events(
    State(app): State<App>,
    user: User,
    correlation: Correlation,
    Tidemark(token): Tidemark,
    Path(stream_id): Path<Uuid>,
    Query(part): Query<Part>,
) -> Result<Response, Error> {
    require_auditor(&user)?;
    let limit = app.limit(part.limit)?;
    let after_version = part.after_version;
    let reflected = fresh_head(&app, token).await?;
    let events = app.log.stream(stream_id, after_version, limit).await?;
    if events.is_empty() && app.log.stream(stream_id, 0, 1).await?.is_empty() {
        return Err(Error::NotFound);
    }
    let scope = Scope::Stream {
        stream_id,
        after_version,
    };
    record(&app, &correlation, &user, scope).await?;
    let page = page(events, limit, |last| last.version)?;
    Ok((reflected, Json(page)).into_response())
}

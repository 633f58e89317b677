//! The events of one stream in order.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, Json, Path, Query};
use tidemark_platform::tidemark::Tidemark;
use utoipa::IntoParams;
use uuid::Uuid;

use super::history_event::{EventPage, page};
use super::{record, require_auditor};
use crate::app::App;
use crate::error::Error;
use crate::freshness::fresh_head;

/// The part of the stream that is asked for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only events above this version: 0, or `next` of the previous page.
    #[serde(default)]
    #[garde(range(min = 0))]
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    after_version: i64,
    /// The number of items on the page.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// List the events of a stream (for auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/streams/{id}/events",
    operation_id = "list_events_of_stream",
    tag = "audit",
    params(("id" = Uuid, Path, description = "The stream"), Part),
    security(("user" = [])),
    responses((status = 200, body = EventPage))
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
    let reflected = fresh_head(&app.log, token).await?;
    let events = app.log.stream(stream_id, after_version, limit).await?;
    if events.is_empty() {
        check_end(&app, stream_id, after_version).await?;
    }
    let scope = Scope::Stream {
        stream_id,
        after_version,
    };
    record(&app, &correlation, &user, scope).await?;
    let page = page(events, limit, |last| last.version)?;
    Ok((reflected, Json(page)).into_response())
}

/// Accepts a part without events only if the stream ends before it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such stream; [`Error::FutureVersion`] if it has not reached the
/// version.
async fn check_end(app: &App, stream_id: Uuid, after_version: i64) -> Result<(), Error> {
    let is_empty = async |after_version| {
        let first = app.log.stream(stream_id, after_version, 1).await;
        first.map(|events| events.is_empty())
    };
    if is_empty(0).await? {
        return Err(Error::NotFound);
    }
    if is_empty(after_version - 1).await? {
        return Err(Error::FutureVersion);
    }
    Ok(())
}

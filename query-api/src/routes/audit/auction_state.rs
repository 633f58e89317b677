//! An auction as it was at a version or a moment: its read model's fold, applied to its stream up to
//! there.

use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use tidemark_events::audit::reading::Scope;
use tidemark_events::{Moment, Recorded, Stored};
use tidemark_platform::auth::User;
use tidemark_platform::http::{Correlation, FieldError, Path, Problem, Query};
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::{Auction, Row};
use utoipa::IntoParams;
use uuid::Uuid;

use super::{record, require_auditor};
use crate::app::App;
use crate::documents::Document;
use crate::error::Error;
use crate::freshness::fresh_head;

/// The number of events that are read at once.
const EVENTS_PER_READ: i64 = 1_000;

/// The version or the moment as of which an auction is shown. Without either, it is shown as it is now.
#[derive(Clone, Copy, Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub(super) struct AsOf {
    /// Show the auction as of this version of its stream.
    #[garde(range(min = 1))]
    #[param(minimum = 1, maximum = 9_223_372_036_854_775_807i64)]
    version: Option<i64>,
    /// Show the auction as of this moment (RFC 3339), which must have come. In a URL, write `+` as `%2B`, or use `Z`.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Moment>,
}

impl AsOf {
    /// Whether the event had happened by then.
    fn includes(&self, recorded: &Recorded) -> bool {
        self.version
            .is_none_or(|version| recorded.version <= version)
            && self
                .at
                .is_none_or(|at| recorded.recorded_at <= at.timestamp())
    }
}

/// Get an auction as of a version or a moment (for auditors)
#[utoipa::path(
    get,
    path = "/v1/audit/auctions/{id}/state",
    operation_id = "get_auction_as_of",
    tag = "audit",
    params(("id" = Uuid, Path, description = "The auction"), AsOf),
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
pub(super) async fn state(
    State(app): State<App>,
    user: User,
    correlation: Correlation,
    Tidemark(token): Tidemark,
    Path(stream_id): Path<Uuid>,
    Query(as_of): Query<AsOf>,
) -> Result<Document, Error> {
    require_auditor(&user)?;
    let AsOf { version, at } = as_of;
    if version.is_some() && at.is_some() {
        let detail = "cannot be combined with version";
        return Err(Problem::invalid(vec![FieldError::parameter("at", detail)]).into());
    }
    if let Some(at) = at
        && at.timestamp() > app.log.now().await?
    {
        return Err(Error::FutureMoment);
    }
    let reflected = fresh_head(&app.log, token).await?;
    let row = state_as_of(&app, stream_id, as_of)
        .await?
        .ok_or(Error::NotFound)?;
    let scope = Scope::State {
        stream_id,
        version,
        at: at.map(Stored::from),
    };
    record(&app, &correlation, &user, scope).await?;
    Document::made(reflected, None, &row)
}

/// The auction that the events up to the version or the moment add up to; `None` before its first
/// event.
///
/// # Errors
/// [`Error::FutureVersion`] if the stream has not reached the version.
async fn state_as_of(app: &App, stream_id: Uuid, as_of: AsOf) -> Result<Option<Row>, Error> {
    let mut row = None;
    let mut after_version = 0;
    loop {
        let events = app
            .log
            .stream(stream_id, after_version, EVENTS_PER_READ)
            .await?;
        for recorded in &events {
            if !as_of.includes(recorded) {
                return Ok(row);
            }
            if let Some(input) = Auction::EVENTS.fold_input(recorded)? {
                row = Auction::fold(stream_id, row, &input);
            }
            after_version = recorded.version;
        }
        if i64::try_from(events.len()).is_ok_and(|found| found < EVENTS_PER_READ) {
            let asked = as_of.version.filter(|_| after_version > 0);
            if asked.is_some_and(|version| version > after_version) {
                return Err(Error::FutureVersion);
            }
            return Ok(row);
        }
    }
}

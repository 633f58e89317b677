//! The audit trail, for auditors. Reading it is itself a fact: a page is put on record, through the
//! command API, before it is shown, and is not shown if that fails.

mod event;
mod log;
mod state;
mod stream;

use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::Correlation;
use tidemark_platform::token::Token;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Error;
use crate::snapshot::Snapshot;

/// The role whose holders may read history.
const AUDITOR: &str = "auditor";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(stream::events))
        .routes(routes!(state::state))
        .routes(routes!(log::events))
}

/// Refuses all but auditors, as their token says. What it says may be out of date: recording the
/// reading asks the log itself.
fn require_auditor(user: &User) -> Result<(), Error> {
    if user.has_role(AUDITOR) {
        Ok(())
    } else {
        Err(Error::NotAuditor)
    }
}

/// Puts on record what is about to be shown.
async fn record(
    app: &App,
    correlation: &Correlation,
    user: &User,
    scope: Scope,
) -> Result<(), Error> {
    app.recorder.record(correlation, user.id, &scope).await
}

/// The end of the log, which streams are read up to; it holds whatever `token` names.
async fn head(app: &App, token: Option<Token>) -> Result<Token, Error> {
    let head = app.log.head().await?;
    let snapshot = Snapshot::<()> {
        timeline: head.timeline,
        head: head.position,
        position: head.position,
        blocked_at: None,
        items: Vec::new(),
    };
    snapshot.reflects(token)?;
    Ok(snapshot.token())
}

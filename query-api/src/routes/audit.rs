//! The audit trail, which only auditors may read. Each reading is itself an event: the command API
//! records it before anything is shown, and nothing is shown if that fails.

mod auction_state;
mod history_event;
mod log;
mod stream;

use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::Correlation;
use tidemark_platform::tidemark::Token;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Error;
use crate::freshness::Fetched;

/// The role whose holders may read history.
const AUDITOR: &str = "auditor";

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(stream::events))
        .routes(routes!(auction_state::state))
        .routes(routes!(log::events))
}

/// Refuses users whose access token does not say that they are auditors. A token can be out of date, so
/// the command API checks the role again when it records the reading.
fn require_auditor(user: &User) -> Result<(), Error> {
    if user.has_role(AUDITOR) {
        Ok(())
    } else {
        Err(Error::NotAuditor)
    }
}

/// Puts on record what the user is about to be shown.
async fn record(
    app: &App,
    correlation: &Correlation,
    user: &User,
    scope: Scope,
) -> Result<(), Error> {
    app.reading_recorder.record(correlation, user, &scope).await
}

/// The head of the log, which is what an answer read from the log itself reflects.
///
/// # Errors
/// If the log is not the token's, or does not reach its position.
async fn fresh_head(app: &App, token: Option<Token>) -> Result<Token, Error> {
    let head = app.log.head().await?;
    let fetched = Fetched::<()> {
        timeline: head.timeline,
        head: head.position,
        position: head.position,
        blocked_at: None,
        parked_at: None,
        is_one_row: false,
        items: Vec::new(),
    };
    fetched.is_fresh_enough(token)?;
    Ok(fetched.token())
}

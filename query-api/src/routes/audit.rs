//! The audit trail, which only auditors may read. Each reading is itself an event: the command API
//! records it before anything is shown, and nothing is shown if that fails.

mod auction_state;
mod filter;
mod history_event;
mod log;
mod stream;

use tidemark_events::audit::reading::Scope;
use tidemark_platform::auth::User;
use tidemark_platform::http::Correlation;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::Error;

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

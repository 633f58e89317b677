//! Queries about what the asking user is told.

mod inbox;
mod notifications;
mod preferences;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(inbox::router())
        .merge(notifications::router())
        .merge(preferences::router())
}

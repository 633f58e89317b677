//! Routes of commands about the log itself: the record of who read it.

mod readings;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(readings::router())
}

//! Routes of commands about what people are told, which reactors send.

mod messages;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(messages::router())
}

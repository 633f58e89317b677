//! Routes of commands about media: uploads, and what becomes of what was uploaded.

mod stored;
mod uploads;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes that receive files.
pub(super) const STREAMED: &[&str] = &["/v1/media"];

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(uploads::router())
        .merge(stored::router())
}

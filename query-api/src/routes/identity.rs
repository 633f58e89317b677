//! Queries about users.

mod profile;
mod seller;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(profile::router())
        .merge(seller::router())
}

//! Commands about people: registering, roles, logging in and out.

mod jwks;
mod sessions;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(jwks::router())
        .merge(sessions::router())
        .merge(users::router())
}

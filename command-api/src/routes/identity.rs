//! Routes of commands about people: registration, roles and sessions; and the issuer of access tokens.

mod issuer;
mod sessions;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(issuer::router())
        .merge(sessions::router())
        .merge(users::router())
}

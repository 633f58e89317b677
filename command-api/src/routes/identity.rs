//! Routes of commands about people: registration, roles and sessions; and the public keys of access tokens.

mod jwks;
mod sessions;
mod users;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(jwks::router())
        .merge(sessions::router())
        .merge(users::router())
}

//! Routes of commands about media: uploads, and what becomes of what was uploaded.

mod avatars;
mod links;
mod open_uploads;
mod resumed;
mod stored;
mod uploads;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes that receive files.
pub(super) const STREAMED: &[&str] = &["/v1/media", "/v1/uploads/{id}"];

/// The routes by which interrupted uploads go on.
pub(super) const RESUMABLE: &[&str] = &["/v1/uploads", "/v1/uploads/{id}"];

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(uploads::router())
        .merge(resumed::router())
        .merge(open_uploads::router())
        .merge(stored::router())
        .merge(avatars::router())
        .merge(links::router())
}

//! Queries about media: what a user has uploaded, and the bytes of pictures, which everybody may see.

mod checked;
mod content;
mod own_media;
mod range;
mod sealed;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(own_media::router())
        .merge(content::router())
}

//! Routes of commands about what people are told: services send most of them, and users say what they have seen and want.

mod bounces;
mod contact_points;
mod messages;
mod notifications;
mod pause_notices;
mod phones;
mod preferences;
mod templates;
pub(super) mod text_status;
pub(super) mod unsubscribe;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(bounces::router())
        .merge(contact_points::router())
        .merge(messages::router())
        .merge(notifications::router())
        .merge(pause_notices::router())
        .merge(phones::router())
        .merge(preferences::router())
        .merge(templates::router())
}

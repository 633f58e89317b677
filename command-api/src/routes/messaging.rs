//! Routes of commands about what people are told: services send most of them, and users say what they have seen and want.

mod bounces;
mod complaints;
mod contact_points;
mod digests;
mod forms;
mod messages;
mod notifications;
mod pause_notices;
mod phones;
mod policy_bounces;
mod preferences;
mod return_paths;
mod templates;
mod text_status;
mod unsubscribe;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(bounces::router())
        .merge(complaints::router())
        .merge(contact_points::router())
        .merge(digests::router())
        .merge(messages::router())
        .merge(notifications::router())
        .merge(pause_notices::router())
        .merge(phones::router())
        .merge(preferences::router())
        .merge(templates::router())
}

/// The routes for others than clients of the API: for those who have a mail and their programs, and for the provider of texts.
pub(super) fn for_others() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(text_status::router())
        .merge(unsubscribe::router())
}

//! Queries about what the asking user is told, and for operators about what was sent to people.

mod address;
mod deliveries;
mod inbox;
mod notifications;
mod preferences;
mod suppressions;
mod templates;

use tidemark_platform::auth::User;
use utoipa_axum::router::OpenApiRouter;

use super::OPERATOR;
use crate::app::App;
use crate::error::Error;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(deliveries::router())
        .merge(inbox::router())
        .merge(notifications::router())
        .merge(preferences::router())
        .merge(suppressions::router())
        .merge(templates::router())
}

/// Refuses everybody but operators.
fn require_operator(user: &User) -> Result<(), Error> {
    if user.has_role(OPERATOR) {
        Ok(())
    } else {
        Err(Error::NotOperator)
    }
}

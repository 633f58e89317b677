//! Queries about tasks and their runs. Each user sees their own; those of others do not exist for them.

mod own_tasks;
mod task_health;
mod task_runs;

use serde::Deserialize;
use tidemark_platform::auth::User;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::app::App;
use crate::documents::Document;
use crate::error::Error;

/// The routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(own_tasks::router())
        .merge(task_health::router())
        .merge(task_runs::router())
}

/// The part of a document that says who may see it.
#[derive(Deserialize)]
struct Ownership {
    owner_id: Uuid,
}

/// The document, if it is the user's own.
fn own(document: Document, user: &User) -> Result<Document, Error> {
    let ownership = serde_json::from_slice::<Ownership>(&document.json)?;
    if ownership.owner_id == user.id {
        Ok(document)
    } else {
        Err(Error::NotFound)
    }
}

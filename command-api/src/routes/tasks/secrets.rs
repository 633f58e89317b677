//! The route by which owners get other secrets for their tasks.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use tidemark_domain::tasks::task::RotateSecret;
use tidemark_events::tasks::task;
use tidemark_events::{Event, TaskId};
use tidemark_platform::http::{Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::terms::{Erased, key_of, owner, secret};
use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::error::Error;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(rotate))
}

/// A task that has another secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewTaskSecret)]
struct NewSecret {
    /// The id of the task.
    id: Uuid,
    /// Its version after the command.
    #[schema(minimum = 1, example = 7)]
    version: i64,
    /// The secret that signs its calls from now on, as Standard Webhooks has it. It is shown only here.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A=")]
    secret: String,
}

/// Get another secret for a task
///
/// Calls are signed with both for a day, also those of runs that were requested before: `webhook-signature` holds two signatures
/// with a space between them, or more if the secret is rotated again meanwhile, which is possible a few times. Only the owner may do
/// this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/secret",
    operation_id = "rotate_task_secret",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 200, body = NewSecret), RefusalsOf<RotateSecret>, Erased)
)]
async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let owner_id = owner(&caller, "rotate_task_secret")?;
    let key = key_of(&app, owner_id).await?;
    let sealed = key.seal("task_secret", &secret(&app, new_id()));
    let command = RotateSecret {
        task_id: TaskId(id),
        secret: sealed.map_err(Problem::internal)?,
        old_secret_s: app.config.tasks.old_secret_s,
        old_secrets_max: app.config.tasks.old_secrets_max,
    };
    let submission = app.submission(&caller, StatusCode::OK, id, command)?;
    let find = async |accepted| NewSecret::of(&app, accepted).await;
    app.answer_with_found(submission, find).await
}

impl NewSecret {
    async fn of(app: &App, accepted: AcceptedBody) -> Result<Self, Problem> {
        Ok(Self {
            id: accepted.id,
            version: accepted.version,
            secret: rotated(app, &accepted).await?,
        })
    }
}

/// The secret as it was put on record, which is the same if the request is sent again.
async fn rotated(app: &App, accepted: &AcceptedBody) -> Result<String, Problem> {
    let events = app.log.stream(accepted.id, accepted.version - 1, 1).await;
    let events = events.map_err(Error::from)?;
    let event = events.first().map(tidemark_events::Recorded::decode);
    let Some(Event::Task(task::Event::SecretRotated { secret, .. })) =
        event.transpose().map_err(Problem::internal)?
    else {
        return Err(Problem::internal("the log has no such rotation"));
    };
    let opened = app.subject_keys.unseal("task_secret", &secret).await;
    Ok(opened.map_err(Error::from)?.ok_or(Error::SubjectErased)?)
}

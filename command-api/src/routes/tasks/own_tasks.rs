//! Routes by which owners run, pause, resume and retire their tasks, and the one by which the clock has slots taken.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::tasks::task::{Pause, Resume, Retire, RunNow, TakeSlot};
use tidemark_events::{Moment, TaskId, TaskRunId};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(run))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(retire))
        .routes(routes!(take_slot))
}

/// Run a task now
///
/// The run comes besides those of the schedule. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/run",
    operation_id = "run_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<RunNow>)
)]
async fn run(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let run_id = new_id();
    let command = RunNow {
        task_id: TaskId(id),
        run_id: TaskRunId(run_id),
    };
    let submission = app.submission(&caller, StatusCode::CREATED, run_id, command)?;
    let location = Location("/v1/task-runs/{id}");
    app.answer_created(submission, location).await
}

/// Pause a task
///
/// It does not run until it is resumed, and a run that is not over is cancelled. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/pause",
    operation_id = "pause_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Pause>)
)]
async fn pause(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let task_id = TaskId(id);
    app.change(&caller, id, Pause { task_id }).await
}

/// Resume a task
///
/// The slots since it was paused are skipped. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/resume",
    operation_id = "resume_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Resume>)
)]
async fn resume(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Resume {
        task_id: TaskId(id),
        frequent_max: app.config.tasks.frequent_per_user_max,
    };
    app.change(&caller, id, command).await
}

/// Retire a task
///
/// It never runs again, and a run that is not over is cancelled. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/retire",
    operation_id = "retire_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Retire>)
)]
async fn retire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let task_id = TaskId(id);
    app.change(&caller, id, Retire { task_id }).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct Slot {
    /// The slot that the task waits for.
    #[schema(value_type = String, format = "date-time", example = "2027-01-31T12:00:00Z")]
    slot: Moment,
}

/// Take a slot of a task
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/take-slot",
    operation_id = "take_task_slot",
    tag = "services",
    params(("id" = Uuid, Path, description = "The task")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<TakeSlot>)
)]
async fn take_slot(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<Slot>,
) -> Result<Response, Problem> {
    let command = TakeSlot {
        task_id: TaskId(id),
        slot: body.slot,
        run_id: TaskRunId(new_id()),
    };
    app.change(&caller, id, command).await
}

//! The route by which the caller of tasks records what came of a call.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::tasks::task_run::RecordAttempt;
use tidemark_events::TaskRunId;
use tidemark_events::tasks::task_run::Outcome;
use tidemark_platform::http::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;
use crate::routes::sealed_value::SealedValue;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct AttemptOfRun {
    /// The number of the attempt, from 1 on.
    #[garde(range(min = 1, max = 100))]
    #[schema(minimum = 1, maximum = 100, example = 1)]
    attempt: u32,
    /// How often the task had been changed when it was called. Builds before left it out.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 0)]
    changes: Option<u32>,
    /// What came of it.
    outcome: Outcome,
    /// The HTTP status of the answer; leave it out if there was none.
    #[garde(range(min = 100, max = 999))]
    #[schema(minimum = 100, maximum = 999, example = 200)]
    status: Option<u32>,
    /// How long it took, in milliseconds.
    #[garde(range(max = 86_400_000))]
    #[schema(minimum = 0, maximum = 86_400_000, example = 12)]
    ms: u32,
    /// The beginning of the answer, sealed as `task_answer`; leave it out if it was empty.
    #[garde(dive)]
    answer: Option<SealedValue>,
    /// After how many seconds the server asks to be called again; leave it out if it does not say.
    #[schema(minimum = 0, maximum = 4_294_967_295_i64, example = 30)]
    retry_after_s: Option<u32>,
}

/// Record what came of a call
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/task-runs/{id}/attempts",
    operation_id = "record_task_attempt",
    tag = "services",
    params(("id" = Uuid, Path, description = "The run of the task")),
    security(("service" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<RecordAttempt>)
)]
async fn record(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<AttemptOfRun>,
) -> Result<Response, Problem> {
    let pauses_ms = app.config.tasks.retry_pauses_ms.iter();
    let command = RecordAttempt {
        run_id: TaskRunId(id),
        attempt: body.attempt,
        changes: body.changes,
        outcome: body.outcome,
        status: body.status,
        ms: body.ms,
        answer: body.answer.map(Into::into),
        retry_after_s: body.retry_after_s,
        pauses_ms: pauses_ms.copied().map(u64::from).collect(),
    };
    app.change(&caller, id, command).await
}

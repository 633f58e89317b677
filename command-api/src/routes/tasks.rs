//! Routes of commands about tasks, which owners send, and about their runs, which reactors do.

mod changes;
mod new_task;
mod own_tasks;
mod secrets;
mod task_runs;
mod terms;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(new_task::router())
        .merge(changes::router())
        .merge(secrets::router())
        .merge(own_tasks::router())
        .merge(task_runs::router())
}

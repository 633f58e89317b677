//! Routes of commands about tasks, which owners send, and about their runs, which reactors do.

mod new_task;
mod task_runs;
mod tasks;

use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// All routes of this context.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(new_task::router())
        .merge(tasks::router())
        .merge(task_runs::router())
}

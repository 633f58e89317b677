//! The runs of a task, the newest first, and one run by its id.

use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use tidemark_read_models::tasks::task_run::{Row, Status, TaskRun};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{own, own_tasks};
use crate::app::App;
use crate::documents::{Document, DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{Fetched, QueriedShards, query_all_shards, query_shard_of_row};
use crate::routes::is_no_filter;

page_schema!(TaskRunPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// Get a run of a task of mine
#[utoipa::path(
    get,
    path = "/v1/task-runs/{id}",
    operation_id = "get_task_run",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The run")),
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    let run = app.document::<TaskRun, _>(id, token, || {
        query_shard_of_row!(
            String,
            "task_run",
            r#"
            select r.doc::text
              from task_run_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    own(run.await?, &user)
}

/// The runs that are asked for.
#[derive(Debug, Deserialize, Serialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only runs with this status.
    status: Option<Status>,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[serde(skip_serializing_if = "is_no_filter")]
    #[param(minimum = 1)]
    limit: Option<i64>,
}

/// List the runs of a task of mine, the newest first
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/runs",
    operation_id = "list_task_runs",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task"), Filter),
    security(("user" = [])),
    responses((status = 200, body = TaskRunPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(filter.limit)?;
    let scope = format!("runs of {id} {}", serde_json::to_string(&filter)?);
    let (before, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    own_tasks::find_own(&app, &user, token, id).await?;
    let shards = [QueriedShards::all::<TaskRun>()];
    let lists = &app.pools.lists;
    let query = || lists.in_turn(client, select(lists, id, filter.status, before, limit + 1));
    let runs = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(runs, limit, (&app.cursors, &scope), id_of)
}

/// Each shape of the filter has a statement and an index.
async fn select(
    pool: &PgPool,
    task_id: Uuid,
    status: Option<Status>,
    before: Uuid,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    macro_rules! select_of {
        ($status:literal) => {
            query_all_shards!(
                String,
                "task_run",
                r#"
                select r.doc::text
                  from task_run_rows r
                 where r.generation = s.generation
                   and r.task_id = $1
                   and "# $status r#"
                   and r.id < $3
                 order by r.id desc nulls last
                 limit $4
                "#,
                task_id,
                status.map(Status::name),
                before,
                limit,
            )
            .fetch_one(pool)
            .await
        };
    }
    match status {
        None => select_of!("$2::text is null"),
        Some(_) => select_of!("r.status = $2"),
    }
}

//! The tasks of the asking user: one by its id, and all, the newest first.

use axum::extract::State;
use tidemark_platform::auth::User;
use tidemark_platform::http::{Path, Query};
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
use tidemark_read_models::tasks::task::{Row, Task};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::own;
use crate::app::App;
use crate::documents::{Document, DocumentPage, id_of};
use crate::error::Error;
use crate::freshness::{QueriedShards, query_all_shards, query_shard_of_row};
use crate::routes::Paging;

page_schema!(TaskPage of Row);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
}

/// Get a task of mine
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}",
    operation_id = "get_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    responses((status = 200, body = Row))
)]
async fn get(
    State(app): State<App>,
    user: User,
    Tidemark(token): Tidemark,
    Path(id): Path<Uuid>,
) -> Result<Document, Error> {
    find_own(&app, &user, token, id).await
}

/// The task with this id, if it is the user's own.
pub(super) async fn find_own(
    app: &App,
    user: &User,
    token: Option<Token>,
    id: Uuid,
) -> Result<Document, Error> {
    let task = app.document::<Task, _>(id, token, || {
        query_shard_of_row!(
            String,
            "task",
            r#"
            select r.doc::text
              from task_rows r
             where r.generation = s.generation
               and r.id = $1
            "#,
            id,
        )
        .fetch_one(&*app.pools.documents)
    });
    own(task.await?, user)
}

/// List my tasks, the newest first
#[utoipa::path(
    get,
    path = "/v1/tasks",
    operation_id = "list_tasks",
    tag = "tasks",
    params(Paging),
    security(("user" = [])),
    responses((status = 200, body = TaskPage))
)]
async fn list(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(paging): Query<Paging>,
) -> Result<DocumentPage, Error> {
    let limit = app.limit(paging.limit)?;
    let scope = format!("tasks of {}", user.id);
    let (before, token) = app.resume(&scope, paging.cursor.as_deref(), token).await?;
    let before = before.unwrap_or(Uuid::max());
    let shards = [QueriedShards::all::<Task>()];
    let tasks = app.freshness.fetch(token, shards, || {
        let query = query_all_shards!(
            String,
            "task",
            r#"
            select r.doc::text
              from task_rows r
             where r.generation = s.generation
               and r.owner_id = $1
               and r.id < $2
             order by r.id desc nulls last
             limit $3
            "#,
            user.id,
            before,
            limit + 1,
        )
        .fetch_one(&*app.pools.lists);
        app.pools.lists.in_turn(client, query)
    });
    DocumentPage::new(tasks.await?, limit, (&app.cursors, &scope), id_of)
}

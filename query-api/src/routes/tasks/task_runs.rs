//! The runs of one task and those of all tasks of the asking user, the newest first, and one run by its id.

use axum::extract::State;
use chrono::TimeDelta;
use garde::Validate;
use serde::Deserialize;
use sqlx::PgPool;
use tidemark_events::Moment;
use tidemark_events::tasks::task_run::Outcome;
use tidemark_platform::auth::User;
use tidemark_platform::http::{FieldError, Path, Problem, Query};
use tidemark_platform::ids::first_made_at;
use tidemark_platform::page_schema;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::{Tidemark, Token};
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

page_schema!(TaskRunPage of Row);

/// By how much the time in the id of a run may differ from that at which the run was requested: commands wait, and the clocks of
/// processes differ. So many more runs are examined.
const ID_OFF_BY_MAX: TimeDelta = TimeDelta::minutes(5);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list))
        .routes(routes!(list_own))
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
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Only runs with this status.
    status: Option<Status>,
    /// Only runs whose last attempt came to this. It cannot be combined with `status`.
    outcome: Option<Outcome>,
    /// Only runs that were requested at this moment (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Moment>,
    /// Only runs that were requested before this moment (RFC 3339), which must not be before `from`.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Moment>,
    /// `next` of the previous page. Without it, the list starts at its beginning.
    #[param(example = "WzEsNDcxMSwiMDE5OWIzYTQiXZ0s3m")]
    cursor: Option<String>,
    /// The number of items on the page.
    #[param(minimum = 1)]
    limit: Option<i64>,
}

impl Filter {
    /// Refuses a time that ends before it begins, and a combination that has no index: the outcome says more than the status.
    fn check(&self) -> Result<(), Problem> {
        let refused = |name: &'static str, detail: &str| {
            Err(Problem::invalid(vec![FieldError::parameter(name, detail)]))
        };
        if self.status.is_some() && self.outcome.is_some() {
            return refused("outcome", "cannot be combined with status");
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if until < from => {
                refused("until", "must not be before from")
            }
            _ => Ok(()),
        }
    }

    /// What a cursor of the list belongs to.
    fn scope(&self, of: Of) -> String {
        let Self {
            status,
            outcome,
            from,
            until,
            ..
        } = self;
        format!("runs of {of:?} {status:?} {outcome:?} {from:?} {until:?}")
    }

    /// The ids between which those of the runs are, of which the second is none of them.
    fn ids(&self) -> (Uuid, Uuid) {
        let from = self.from.map(|it| it.timestamp() - ID_OFF_BY_MAX);
        let until = self.until.map(|it| it.timestamp() + ID_OFF_BY_MAX);
        (
            from.map_or(Uuid::nil(), first_made_at),
            until.map_or(Uuid::max(), first_made_at),
        )
    }
}

/// Whose runs are asked for.
#[derive(Clone, Copy, Debug)]
enum Of {
    Task(Uuid),
    Owner(Uuid),
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
    page(&app, client, (&user, token), Of::Task(id), &filter).await
}

/// List the runs of all my tasks, the newest first
#[utoipa::path(
    get,
    path = "/v1/task-runs",
    operation_id = "list_my_task_runs",
    tag = "tasks",
    params(Filter),
    security(("user" = [])),
    responses((status = 200, body = TaskRunPage))
)]
async fn list_own(
    State(app): State<App>,
    client: ClientAddress,
    user: User,
    Tidemark(token): Tidemark,
    Query(filter): Query<Filter>,
) -> Result<DocumentPage, Error> {
    page(&app, client, (&user, token), Of::Owner(user.id), &filter).await
}

async fn page(
    app: &App,
    client: ClientAddress,
    (user, token): (&User, Option<Token>),
    of: Of,
    filter: &Filter,
) -> Result<DocumentPage, Error> {
    filter.check()?;
    let limit = app.limit(filter.limit)?;
    let scope = filter.scope(of);
    let (before, token) = app.resume(&scope, filter.cursor.as_deref(), token).await?;
    if let Of::Task(id) = of {
        own_tasks::find_own(app, user, token, id).await?;
    }
    let shards = [QueriedShards::all::<TaskRun>()];
    let lists = &app.pools.lists;
    let query = || lists.in_turn(client, select(lists, of, filter, before, limit + 1));
    let runs = app.freshness.fetch(token, shards, query).await?;
    DocumentPage::new(runs, limit, (&app.cursors, &scope), id_of)
}

/// Each shape of the filter has a statement and an index.
async fn select(
    pool: &PgPool,
    of: Of,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> sqlx::Result<Fetched<String>> {
    let (first, end) = filter.ids();
    let before = before.map_or(end, |it| it.min(end));
    let [from, until] = [filter.from, filter.until].map(|it| it.map(Moment::timestamp));
    let (Of::Task(id) | Of::Owner(id)) = of;
    let status = filter.status.map(Status::name);
    let result = status.or(filter.outcome.map(Outcome::name));
    macro_rules! select_of {
        ($of:literal, $result:literal) => {
            query_all_shards!(
                String,
                "task_run",
                r#"
                select r.doc::text
                  from task_run_rows r
                 where r.generation = s.generation
                   and "# $of r#"
                   and "# $result r#"
                   and r.id < $3
                   and r.id >= $5
                   and ($6::timestamptz is null or instant(r.doc ->> 'requested_at') >= $6)
                   and ($7::timestamptz is null or instant(r.doc ->> 'requested_at') < $7)
                 order by r.id desc nulls last
                 limit $4
                "#,
                id,
                result,
                before,
                limit,
                first,
                from,
                until,
            )
            .fetch_one(pool)
            .await
        };
    }
    match (of, filter.status, filter.outcome) {
        (Of::Task(_), None, None) => select_of!("r.task_id = $1", "$2::text is null"),
        (Of::Task(_), Some(_), _) => select_of!("r.task_id = $1", "r.status = $2"),
        (Of::Task(_), None, Some(_)) => select_of!("r.task_id = $1", "r.outcome = $2"),
        (Of::Owner(_), None, None) => select_of!("r.owner_id = $1", "$2::text is null"),
        (Of::Owner(_), Some(_), _) => select_of!("r.owner_id = $1", "r.status = $2"),
        (Of::Owner(_), None, Some(_)) => select_of!("r.owner_id = $1", "r.outcome = $2"),
    }
}

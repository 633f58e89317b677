//! The route by which owners change what their tasks call and when. What was sealed before is opened here, put together with what
//! is stated, and sealed again, before anything is decided.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_domain::tasks::definition::{CallTerms, Definition};
use tidemark_domain::tasks::destination::Destination;
use tidemark_domain::tasks::schedule::Schedule;
use tidemark_domain::tasks::task::{Change, Error as TaskError, NewPlan};
use tidemark_event_store::{DefinitionPart, SubjectKey};
use tidemark_events::tasks::task::{Cron, Host, Method, Missed, Name, Overlap, Plan, Zone};
use tidemark_events::{KeyedHash, Sealed, Stored, TaskId, Url, UserId};
use tidemark_platform::http::{FieldError, Path, Problem, Stated};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::terms::{
    Erased, all_terms, are_headers, destination, has_body, is_readable, key_of, next_slots, owner,
    refused, schedule, url_hash,
};
use crate::app::{AcceptedBody, App};
use crate::caller::Caller;
use crate::error::{Error, without_faults};
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(change))
}

/// What is to change. What is left out stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ChangedTask {
    /// The name, one line of 1 to 100 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "Fetch all prices")]
    name: Option<Name>,
    /// The URL that is called, of the public internet and with `https`. It is stored encrypted.
    #[schema(value_type = Option<String>, format = "uri", max_length = 2_000, example = "https://hooks.example/all-prices")]
    url: Option<Url<2_000>>,
    /// The method of the calls. One that has no body removes it.
    method: Option<Method>,
    /// All headers of the calls: up to 20, with names and values of at most 100 and 1,000 characters. They are stored encrypted.
    #[garde(inner(custom(are_headers)))]
    #[schema(example = json!({ "x-api-key": "k-4712" }))]
    headers: Option<BTreeMap<String, String>>,
    /// The body of the calls, which only POST and PUT may have. It is stored encrypted. An empty one removes it.
    #[garde(inner(length(bytes, max = 16_384), custom(is_readable)))]
    #[schema(max_length = 16_384, example = "{\"prices\":\"all\"}")]
    body: Option<String>,
    /// When the task is due: five fields of cron, or six that begin with seconds.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "0 8 * * *")]
    cron: Option<Cron>,
    /// The time zone of `cron`, by its name in the database of IANA. It must not be left out if the task had no schedule.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Asia/Tokyo")]
    zone: Option<Zone>,
    /// What happens with slots that nobody took on time.
    missed: Option<Missed>,
    /// What happens with slots that come while a run goes on. Runs that go on already are not ended by a change of it.
    overlap: Option<Overlap>,
    /// How long after its slot a run is of use, in seconds. Without it, as before, or if the schedule changes, as long as the period,
    /// and an hour at least.
    #[garde(range(min = 10, max = 31_536_000))]
    #[schema(minimum = 10, maximum = 31_536_000, example = 3_600)]
    window_s: Option<u32>,
    /// The longest time by which runs begin after their slots, in seconds. Without it, as before, or if the schedule changes, a tenth
    /// of the period.
    #[garde(range(max = 900))]
    #[schema(minimum = 0, maximum = 900, example = 0)]
    delay_max_s: Option<u32>,
}

impl ChangedTask {
    /// Whether anything is stated of the schedule, or of how it is kept.
    const fn has_plan(&self) -> bool {
        let is_scheduled = self.cron.is_some() || self.zone.is_some();
        let is_kept = self.window_s.is_none() && self.delay_max_s.is_none();
        is_scheduled || self.missed.is_some() || self.overlap.is_some() || !is_kept
    }

    const fn is_empty(&self) -> bool {
        let has_call = self.url.is_some() || self.headers.is_some() || self.body.is_some();
        !(has_call || self.name.is_some() || self.method.is_some() || self.has_plan())
    }

    /// What is missing in the change of a task with this plan.
    fn faults(&self, old: Option<&Plan>) -> Vec<FieldError> {
        let lacks_plan = self.has_plan() && old.is_none();
        let unscheduled = "must not be left out, since the task has no schedule";
        let faults = [
            (self.is_empty(), "", "must say what is to change"),
            (lacks_plan && self.cron.is_none(), "/cron", unscheduled),
            (lacks_plan && self.zone.is_none(), "/zone", unscheduled),
        ];
        let found = faults.into_iter().filter(|(is_one, ..)| *is_one);
        found
            .map(|(_, pointer, told)| FieldError::pointer(pointer, told))
            .collect()
    }
}

/// A task that was changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TaskAfterChange)]
struct AfterChange {
    /// The id of the task.
    id: Uuid,
    /// Its version after the command.
    #[schema(minimum = 1, example = 7)]
    version: i64,
    /// The next five slots, or as many as there are; none if it runs on request only.
    #[schema(max_items = 5, example = json!(["2027-01-31T06:00:00Z"]))]
    next_slots: Vec<DateTime<Utc>>,
}

/// Change a task
///
/// What is left out stays as it is. If the schedule changes, the slots of before that are due and were not taken are skipped. A run
/// that goes on is not cancelled, and its further calls are those of the changed task. Only the owner may do this.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/change",
    operation_id = "change_task",
    tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    security(("user" = [])),
    request_body = ChangedTask,
    responses((status = 200, body = AfterChange), RefusalsOf<Change>, Erased)
)]
async fn change(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Stated { body, faults }: Stated<ChangedTask>,
) -> Result<Response, Problem> {
    let owner_id = owner(&caller, "change_task")?;
    let definition = match own_definition(&app, id, owner_id).await {
        Ok(definition) => definition,
        Err(error) => return Err(error.beside(faults)),
    };
    let old_plan = definition.plan.as_deref();
    let faults = faults.and(body.faults(old_plan));
    let url = body.url.as_ref();
    let destination = url.map(|url| destination(&app, url.as_str())).transpose();
    let plan = new_plan(&app, owner_id, &body, old_plan).await;
    let terms = all_terms(destination, plan, !faults.is_none());
    let (destination, plan) = without_faults(faults, terms)?;
    let key = key_of(&app, owner_id).await?;
    let changed = ChangedCall::of(&app, &key, &definition, &body, destination).await?;
    let command = Change {
        task_id: TaskId(id),
        after_changes: definition.changes,
        name: body.name.map_or(definition.name, Into::into),
        method: changed.method,
        host: changed.host,
        port: changed.port,
        call: changed.call,
        calls_as_before: changed.is_as_before,
        body_is_in_vain: changed.body_is_in_vain,
        url_hash: changed.url_hash,
        plan,
        frequent_max: app.config.tasks.frequent_per_user_max,
    };
    let submission = app.submission(&caller, StatusCode::OK, id, command)?;
    let find = async |accepted| AfterChange::of(&app, accepted).await;
    app.answer_with_found(submission, find).await
}

/// What a task of this owner is now.
async fn own_definition(app: &App, task_id: Uuid, owner_id: UserId) -> Result<Definition, Error> {
    let found = definition(app, task_id, None).await?;
    let own = found.filter(|it| it.owner_id == owner_id);
    own.ok_or_else(|| refused(TaskError::NotFound))
}

/// What a task was at this version, or is now.
async fn definition(
    app: &App,
    task_id: Uuid,
    version: Option<i64>,
) -> Result<Option<Definition>, Error> {
    let parts = app.log.task_definition(task_id, version).await?;
    let definition = Definition::read(parts.iter().map(DefinitionPart::decode));
    definition.map_err(Error::internal)
}

impl AfterChange {
    /// The task as it is on record, which is the same if the request is sent again.
    async fn of(app: &App, accepted: AcceptedBody) -> Result<Self, Problem> {
        let AcceptedBody { id, version } = accepted;
        let events = app.log.stream(id, version - 1, 1).await;
        let last = events.map_err(Error::from)?.into_iter().next();
        let last = last.ok_or_else(|| Problem::internal("the log has no such version"))?;
        let plan = definition(app, id, Some(version)).await?;
        let plan = plan.and_then(|it| it.plan);
        let schedule = plan.map(|it| Schedule::read(&it.cron, &it.zone));
        let schedule = schedule.transpose();
        let schedule = schedule.map_err(|error| refused(error.into()))?;
        Ok(Self {
            id,
            version,
            next_slots: next_slots(schedule.as_ref(), last.recorded_at),
        })
    }
}

/// The plan, if anything about it is stated, and nothing is missing.
async fn new_plan(
    app: &App,
    owner_id: UserId,
    body: &ChangedTask,
    old: Option<&Plan>,
) -> Result<Option<NewPlan>, Error> {
    if !body.has_plan() {
        return Ok(None);
    }
    let is_rescheduled = body.cron.is_some() || body.zone.is_some();
    let stored_cron = || Cron::try_from(old?.cron.to_string()).ok();
    let stored_zone = || Zone::try_from(old?.zone.to_string()).ok();
    let cron = body.cron.clone().or_else(stored_cron);
    let zone = body.zone.clone().or_else(stored_zone);
    let (Some(cron), Some(zone)) = (cron, zone) else {
        return Ok(None);
    };
    let kept_window = old.filter(|_| !is_rescheduled).map(|it| it.window_s);
    let kept_missed = old.map_or(Missed::Latest, |it| it.missed);
    let kept_overlap = old.map_or(Overlap::Skip, |it| it.overlap);
    let (schedule, is_due) = schedule(app, owner_id, cron, zone).await?;
    Ok(Some(NewPlan {
        schedule,
        is_due,
        missed: body.missed.unwrap_or(kept_missed),
        overlap: body.overlap.unwrap_or(kept_overlap),
        window_s: body.window_s.or(kept_window),
        delay_max_s: body.delay_max_s,
    }))
}

/// What a task calls after the change.
struct ChangedCall {
    method: Method,
    host: Stored<Host>,
    port: Option<u32>,
    call: Sealed,
    url_hash: KeyedHash,
    /// Whether that is what it called before.
    is_as_before: bool,
    /// Whether a body is stated although calls have none.
    body_is_in_vain: bool,
}

impl ChangedCall {
    async fn of(
        app: &App,
        key: &SubjectKey,
        definition: &Definition,
        body: &ChangedTask,
        destination: Option<Destination>,
    ) -> Result<Self, Problem> {
        let method = body.method.unwrap_or(definition.method);
        let opened = app.subject_keys.unseal("task_call", &definition.call).await;
        let opened = opened.map_err(Error::from)?.ok_or(Error::SubjectErased)?;
        let old: CallTerms = serde_json::from_str(&opened).map_err(Problem::internal)?;
        let (mut host, mut port) = (definition.host.clone(), definition.port);
        let mut hash = definition.url_hash.clone();
        let mut call = old.clone();
        if let Some(destination) = destination {
            hash = url_hash(app, definition.owner_id, &destination);
            host = destination.host.clone().into();
            port = destination.port.map(u32::from);
            destination.url.as_str().clone_into(&mut call.url);
        }
        if let Some(headers) = &body.headers {
            call.headers.clone_from(headers);
        }
        let (new_body, body_is_in_vain) = new_body(body.body.as_deref(), old.body.clone(), method);
        call.body = new_body;
        let sealed = key.seal("task_call", &json!(call).to_string());
        Ok(Self {
            method,
            host,
            port,
            call: sealed.map_err(Problem::internal)?,
            url_hash: hash,
            is_as_before: call == old && method == definition.method,
            body_is_in_vain,
        })
    }
}

/// The body of the calls, none if it is removed; and whether one is stated that they cannot have.
fn new_body(stated: Option<&str>, old: Option<String>, method: Method) -> (Option<String>, bool) {
    let stated_one = stated.filter(|it| !it.is_empty());
    if !has_body(method) {
        return (None, stated_one.is_some());
    }
    match stated {
        None => (old, false),
        Some(_) => (stated_one.map(str::to_owned), false),
    }
}

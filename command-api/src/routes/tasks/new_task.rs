//! The route by which users define tasks. What the task calls is sealed here, before anything is decided.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_domain::tasks::definition::CallTerms;
use tidemark_domain::tasks::destination::Destination;
use tidemark_domain::tasks::task::{Define, NewPlan};
use tidemark_events::tasks::task::{Cron, Method, Missed, Name, Overlap, Zone};
use tidemark_events::{TaskId, Url, UserId};
use tidemark_platform::http::{Problem, Stated};
use tidemark_platform::ids::{made_at, new_id};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::terms::{
    Erased, all_terms, are_headers, destination, has_body, is_readable, key_of, next_slots, owner,
    schedule, secret, url_hash,
};
use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::error::{Error, without_faults};
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(define))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewTask {
    /// The name, one line of 1 to 100 characters.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "Fetch prices")]
    name: Name,
    /// The URL that is called, of the public internet and with `https`. It is stored encrypted.
    #[schema(value_type = String, format = "uri", max_length = 2_000, example = "https://hooks.example/prices")]
    url: Url<2_000>,
    /// The method of the calls.
    #[serde(default = "post")]
    #[schema(default = "POST")]
    method: Method,
    /// Headers of the calls: up to 20, with names and values of at most 100 and 1,000 characters. They are stored encrypted.
    #[garde(custom(are_headers))]
    #[schema(example = json!({ "x-api-key": "k-4711" }))]
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body of the calls, which only POST and PUT may have. It is stored encrypted. If it is JSON, say so by a header
    /// `content-type`.
    #[garde(inner(length(bytes, max = 16_384), custom(is_readable)), custom(has_place(self.method)))]
    #[schema(max_length = 16_384, example = "{\"prices\":true}")]
    body: Option<String>,
    /// When the task is due: five fields of cron, or six that begin with seconds. Leave it out to have the task run on request
    /// only.
    #[garde(custom(is_stated_beside(self.zone.as_ref().map(|_| "zone").or(self.keeping()))))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "0 7 * * *")]
    cron: Option<Cron>,
    /// The time zone of `cron`, by its name in the database of IANA.
    #[garde(custom(is_stated_beside(self.cron.as_ref().map(|_| "cron").or(self.keeping()))))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Europe/Berlin")]
    zone: Option<Zone>,
    /// What happens with slots that nobody took on time.
    #[schema(default = "latest")]
    missed: Option<Missed>,
    /// What happens with slots that come while a run goes on. With `missed` as `all` those wait that do not run at once.
    #[schema(default = "skip")]
    overlap: Option<Overlap>,
    /// How long after its slot a run is of use, in seconds. Without it, as long as the period, and an hour at least.
    #[garde(range(min = 10, max = 31_536_000))]
    #[schema(minimum = 10, maximum = 31_536_000, example = 3_600)]
    window_s: Option<u32>,
    /// The longest time by which runs begin after their slots, in seconds, so that not all tasks run at once. It is at most a
    /// tenth of the period.
    #[garde(range(max = 900))]
    #[schema(minimum = 0, maximum = 900, example = 0)]
    delay_max_s: Option<u32>,
}

const fn post() -> Method {
    Method::Post
}

fn has_place<C>(method: Method) -> impl FnOnce(&Option<String>, &C) -> garde::Result {
    move |body, _| {
        if body.is_some() && !has_body(method) {
            return Err(garde::Error::new("must be left out with this method"));
        }
        Ok(())
    }
}

/// The rule of `garde` that a field is stated beside this other one, if there is one.
fn is_stated_beside<T, C>(other: Option<&str>) -> impl FnOnce(&Option<T>, &C) -> garde::Result {
    move |stated, _| match (stated, other) {
        (None, Some(other)) => {
            let told = format!("must not be left out beside `{other}`");
            Err(garde::Error::new(told))
        }
        _ => Ok(()),
    }
}

impl NewTask {
    /// What is stated of how the schedule is kept, which without one says nothing.
    fn keeping(&self) -> Option<&'static str> {
        let kept = [
            (self.missed.is_some(), "missed"),
            (self.overlap.is_some(), "overlap"),
            (self.window_s.is_some(), "window_s"),
            (self.delay_max_s.is_some(), "delay_max_s"),
        ];
        let mut stated = kept.into_iter().filter(|(is_stated, _)| *is_stated);
        stated.next().map(|(_, name)| name)
    }
}

/// A task that was defined.
#[derive(Debug, Serialize, ToSchema)]
struct DefinedTask {
    /// The id of the task.
    id: Uuid,
    /// Its version after the command.
    #[schema(minimum = 1, example = 1)]
    version: i64,
    /// The secret that signs its calls, as Standard Webhooks has it. It is shown only here.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw0000000000A=")]
    secret: String,
    /// The next five slots, or as many as there are; none if it runs on request only.
    #[schema(max_items = 5, example = json!(["2027-01-31T06:00:00Z"]))]
    next_slots: Vec<DateTime<Utc>>,
}

/// Define a task
///
/// A task calls a URL when its schedule says so, and when its owner asks for it. Everybody who is logged in may define tasks.
#[utoipa::path(
    post,
    path = "/v1/tasks",
    operation_id = "define_task",
    tag = "tasks",
    security(("user" = [])),
    request_body = NewTask,
    responses((status = 201, body = DefinedTask), RefusalsOf<Define>, Erased)
)]
async fn define(
    State(app): State<App>,
    caller: Caller,
    Stated { body, faults }: Stated<NewTask>,
) -> Result<Response, Problem> {
    let owner_id = owner(&caller, "define_task")?;
    let id = new_id();
    let plan = plan(&app, owner_id, &body).await;
    let terms = all_terms(
        destination(&app, body.url.as_str()),
        plan,
        !faults.is_none(),
    );
    let terms = without_faults(faults, terms)?;
    let command = command(&app, owner_id, TaskId(id), body, terms).await?;
    let plan = command.plan.clone();
    let submission = app.submission(&caller, StatusCode::CREATED, id, command)?;
    let location = Location("/v1/tasks/{id}");
    let show = |accepted: AcceptedBody| DefinedTask {
        id: accepted.id,
        version: accepted.version,
        // It follows from the id.
        secret: secret(&app, accepted.id),
        // The same if the request is sent again.
        next_slots: next_slots(plan.as_ref().map(|it| &it.schedule), made_at(accepted.id)),
    };
    app.answer_created_with(submission, location, show).await
}

/// When the task is due, if there is such a schedule.
async fn plan(app: &App, owner_id: UserId, body: &NewTask) -> Result<Option<NewPlan>, Error> {
    let (Some(cron), Some(zone)) = (body.cron.clone(), body.zone.clone()) else {
        return Ok(None);
    };
    let (schedule, is_due) = schedule(app, owner_id, cron, zone).await?;
    Ok(Some(NewPlan {
        schedule,
        is_due,
        missed: body.missed.unwrap_or(Missed::Latest),
        overlap: body.overlap.unwrap_or_default(),
        window_s: body.window_s,
        delay_max_s: body.delay_max_s,
    }))
}

/// The command, with everything sealed that is the owner's alone.
async fn command(
    app: &App,
    owner_id: UserId,
    task_id: TaskId,
    body: NewTask,
    (destination, plan): (Destination, Option<NewPlan>),
) -> Result<Define, Problem> {
    let key = key_of(app, owner_id).await?;
    let seal = |field, value: &str| key.seal(field, value).map_err(Problem::internal);
    let call = CallTerms {
        url: destination.url.as_str().to_owned(),
        headers: body.headers,
        body: body.body,
    };
    Ok(Define {
        task_id,
        name: body.name,
        method: body.method,
        call: seal("task_call", &json!(call).to_string())?,
        secret: seal("task_secret", &secret(app, task_id.0))?,
        url_hash: url_hash(app, owner_id, &destination),
        destination,
        plan,
        tasks_max: app.config.tasks.per_user_max,
        frequent_max: app.config.tasks.frequent_per_user_max,
    })
}

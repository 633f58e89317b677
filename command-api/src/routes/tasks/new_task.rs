//! The route by which users define tasks. What the task calls is sealed here, before anything is decided.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_domain::tasks::destination::{Destination, Hosts};
use tidemark_domain::tasks::schedule::Schedule;
use tidemark_domain::tasks::task::{self, Define, NewPlan};
use tidemark_events::tasks::task::{Cron, Method, Missed, Name, Zone};
use tidemark_events::{TaskId, Url, UserId};
use tidemark_platform::auth::Principal;
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::{made_at, new_id};
use tidemark_platform::openapi::responses;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::error::Error;
use crate::routes::description::RefusalsOf;

/// Headers that the call sets itself, or that say how it is transported.
const OWN_HEADERS: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// How many of the next slots the answer shows.
const NEXT_SLOTS: usize = 5;

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
    #[garde(custom(has_cron_if(self.zone.is_some())))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "0 7 * * *")]
    cron: Option<Cron>,
    /// The time zone of `cron`, by its name in the database of IANA.
    #[garde(custom(has_zone_if(self.cron.is_some())))]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 64, example = "Europe/Berlin")]
    zone: Option<Zone>,
    /// What happens with slots that nobody took on time.
    #[serde(default = "latest")]
    #[schema(default = "latest")]
    missed: Missed,
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

const fn latest() -> Missed {
    Missed::Latest
}

/// The rule of `garde` that names and values are those of headers, which the call does not set itself.
fn are_headers<C>(headers: &BTreeMap<String, String>, _context: &C) -> garde::Result {
    if headers.len() > 20 {
        return Err(garde::Error::new("must have at most 20 headers"));
    }
    let is_header = |(name, value): (&String, &String)| {
        let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        // Of other characters servers make different things.
        let is_plain = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
        let is_short = name.len() <= 100 && value.len() <= 1_000;
        let is_valid = name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
        is_valid && is_plain && is_short && !is_own
    };
    match headers.iter().find(|header| !is_header(*header)) {
        Some(_) => Err(garde::Error::new(
            "must hold headers that a call may have, of bounded length",
        )),
        None => Ok(()),
    }
}

fn has_place<C>(method: Method) -> impl FnOnce(&Option<String>, &C) -> garde::Result {
    move |body, _| match (method, body) {
        (Method::Get | Method::Delete, Some(_)) => {
            Err(garde::Error::new("must be left out with this method"))
        }
        _ => Ok(()),
    }
}

/// The rule of `garde` that a body holds nothing that nobody sees. JSON can write such characters as escapes.
fn is_readable<C>(body: &str, _context: &C) -> garde::Result {
    let is_unseen = |c: char| match c {
        '\n' | '\r' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        _ => c.is_control(),
    };
    if body.contains(is_unseen) {
        return Err(garde::Error::new(
            "must not hold characters that nobody sees",
        ));
    }
    Ok(())
}

fn has_cron_if<C>(is_needed: bool) -> impl FnOnce(&Option<Cron>, &C) -> garde::Result {
    move |cron, _| match cron {
        None if is_needed => Err(garde::Error::new("must not be left out beside `zone`")),
        _ => Ok(()),
    }
}

fn has_zone_if<C>(is_needed: bool) -> impl FnOnce(&Option<Zone>, &C) -> garde::Result {
    move |zone, _| match zone {
        None if is_needed => Err(garde::Error::new("must not be left out beside `cron`")),
        _ => Ok(()),
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

struct Erased;

impl IntoResponses for Erased {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses([Error::SubjectErased])
    }
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
    responses((status = 201, body = DefinedTask), RefusalsOf<Define>, Erased)
)]
async fn define(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewTask>,
) -> Result<Response, Problem> {
    let owner_id = match &caller.principal {
        Principal::User(user) => UserId(user.id),
        Principal::Anonymous => return Err(Error::from(Define::unauthenticated()).into()),
        Principal::Service(_) => return Err(Error::CommandNotAllowed("define_task").into()),
    };
    let id = new_id();
    let command = command(&app, owner_id, TaskId(id), body).await?;
    let plan = command.plan.clone();
    let submission = app.submission(&caller, StatusCode::CREATED, id, command)?;
    let location = Location("/v1/tasks/{id}");
    let show = |accepted: AcceptedBody| DefinedTask {
        id: accepted.id,
        version: accepted.version,
        secret: secret(&app, accepted.id),
        next_slots: next_slots(plan.as_ref(), made_at(accepted.id)),
    };
    app.answer_created_with(submission, location, show).await
}

/// The command, with everything sealed that is the owner's alone.
async fn command(
    app: &App,
    owner_id: UserId,
    task_id: TaskId,
    body: NewTask,
) -> Result<Define, Problem> {
    let hosts = Hosts {
        allowed: &app.config.tasks.allowed_private_hosts,
        own: &app.config.tasks.own_hosts,
    };
    let destination = Destination::new(body.url.as_str(), hosts);
    let destination = destination.map_err(|error| refused(error.into()))?;
    let plan = match (body.cron, body.zone) {
        (Some(cron), Some(zone)) => Some(NewPlan {
            schedule: schedule(app, cron, zone).await?,
            missed: body.missed,
            window_s: body.window_s,
            delay_max_s: body.delay_max_s,
        }),
        _ => None,
    };
    let key = app.subject_keys.key_of(owner_id).await;
    let key = key.map_err(Error::from)?.ok_or(Error::SubjectErased)?;
    let seal = |field, value: &str| key.seal(field, value).map_err(Problem::internal);
    let url = destination.url.as_str();
    let call = json!({"url": url, "headers": body.headers, "body": body.body});
    Ok(Define {
        task_id,
        name: body.name,
        method: body.method,
        call: seal("task_call", &call.to_string())?,
        secret: seal("task_secret", &secret(app, task_id.0))?,
        url_hash: app
            .lookup_key
            .hash("task_url", &format!("{owner_id} {url}")),
        destination,
        plan,
        tasks_max: app.config.tasks.per_user_max,
    })
}

/// The schedule, which is made where blocking is allowed: to find that it is never due takes some milliseconds.
async fn schedule(app: &App, cron: Cron, zone: Zone) -> Result<Schedule, Problem> {
    let now = app.clock.now();
    let made = tokio::task::spawn_blocking(move || Schedule::new(&cron, &zone, now));
    let made = made.await.map_err(Problem::internal)?;
    made.map_err(|error| refused(error.into()))
}

fn refused(error: task::Error) -> Problem {
    Error::Refused(error.into()).into()
}

/// The first slots of a plan after the time at which the task was defined, which are the same if the request is sent again.
fn next_slots(plan: Option<&NewPlan>, defined_at: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let Some(NewPlan { schedule, .. }) = plan else {
        return Vec::new();
    };
    let slots = std::iter::successors(schedule.next_after(defined_at), |last| {
        schedule.next_after(*last)
    });
    slots.take(NEXT_SLOTS).collect()
}

/// The secret of a task. It follows from the id, so that the same request sent again is answered with the same one although no
/// answer is stored.
fn secret(app: &App, task_id: Uuid) -> String {
    let key = app.lookup_key.mac("task_secret", task_id.as_bytes());
    format!("whsec_{}", STANDARD.encode(key))
}

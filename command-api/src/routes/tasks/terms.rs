//! What owners state of their tasks, checked and sealed before anything is decided.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use tidemark_domain::Refusal;
use tidemark_domain::tasks::destination::{Destination, Hosts, own_hosts};
use tidemark_domain::tasks::schedule::{Schedule, ScheduleError};
use tidemark_domain::tasks::task;
use tidemark_domain::tasks::task::{Define, NewPlan};
use tidemark_event_store::SubjectKey;
use tidemark_events::tasks::task::{Cron, Method, Zone};
use tidemark_events::{KeyedHash, UserId};
use tidemark_platform::auth::Principal;
use tidemark_platform::http::Problem;
use tidemark_platform::openapi::responses;
use tidemark_platform::patient_work;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, openapi};
use uuid::Uuid;

use crate::app::App;
use crate::caller::Caller;
use crate::error::Error;

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

/// The most characters of the name of a header.
const NAME_MAX: usize = 100;

/// How many of the next slots an answer shows.
const NEXT_SLOTS: usize = 5;

/// The rule of `garde` that names and values are those of headers, which the call does not set itself. All faults are told.
pub(super) fn are_headers<C>(headers: &BTreeMap<String, String>, _context: &C) -> garde::Result {
    if headers.len() > 20 {
        return Err(garde::Error::new("must have at most 20 headers"));
    }
    let faults = headers.iter().filter_map(fault_of_header);
    let faults: Vec<_> = faults.chain(repeated_headers(headers)).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let told = format!(
        "must hold headers that a call may have: {}",
        faults.join("; ")
    );
    Err(garde::Error::new(told))
}

/// That names differ by nothing but the case of their letters. Those are one header, and servers make different things of two
/// values.
fn repeated_headers(headers: &BTreeMap<String, String>) -> Vec<String> {
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    // Longer ones are told anyway, and not repeated.
    for name in headers.keys().filter(|name| name.len() <= NAME_MAX) {
        let quoted = format!("`{}`", name.escape_default());
        alike
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(quoted);
    }
    let repeated = alike.into_values().filter(|names| names.len() > 1);
    repeated
        .map(|names| format!("{} are one header", names.join(" and ")))
        .collect()
}

/// What is wrong with a header of a call.
fn fault_of_header((name, value): (&String, &String)) -> Option<String> {
    if name.len() > NAME_MAX {
        return Some("a name has more than 100 characters".to_owned());
    }
    if name.parse::<HeaderName>().is_err() {
        return Some(format!(
            "`{}` is no name of a header",
            name.escape_default()
        ));
    }
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Some(format!("the call sets `{name}` itself"));
    }
    if value.len() > 1_000 {
        return Some(format!(
            "the value of `{name}` has more than 1,000 characters"
        ));
    }
    // Of other characters servers make different things.
    let is_plain = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if !is_plain || value.parse::<HeaderValue>().is_err() {
        return Some(format!(
            "the value of `{name}` has other characters than those of ASCII that are seen, and blanks"
        ));
    }
    None
}

/// The rule of `garde` that a body holds nothing that nobody sees. JSON can write such characters as escapes.
pub(super) fn is_readable<C>(body: &str, _context: &C) -> garde::Result {
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

/// Whether calls of this method may have a body.
pub(super) const fn has_body(method: Method) -> bool {
    matches!(method, Method::Post | Method::Put)
}

/// The problem that what a task calls was of somebody who was erased.
pub(super) struct Erased;

impl IntoResponses for Erased {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        responses([Error::SubjectErased])
    }
}

/// The user who sends the command of this name.
pub(super) fn owner(caller: &Caller, command: &'static str) -> Result<UserId, Problem> {
    match &caller.principal {
        Principal::User(user) => Ok(UserId(user.id)),
        Principal::Anonymous => Err(Error::from(Define::unauthenticated()).into()),
        Principal::Service(_) => Err(Error::CommandNotAllowed(command).into()),
    }
}

/// The key under which what a user states is sealed.
pub(super) async fn key_of(app: &App, owner_id: UserId) -> Result<SubjectKey, Problem> {
    let key = app.subject_keys.key_of(owner_id).await;
    Ok(key.map_err(Error::from)?.ok_or(Error::SubjectErased)?)
}

/// What the URL leads to, if tasks may call it.
pub(super) fn destination(app: &App, url: &str) -> Result<Destination, Error> {
    let settings = &app.config.tasks;
    let allowed = &settings.allowed_private_hosts;
    let own = &own_hosts(&settings.own_hosts, allowed, app.config.public_urls());
    let hosts = Hosts { allowed, own };
    Destination::new(url, hosts).map_err(|error| refused(error.into()))
}

/// The keyed hash of an owner and a URL.
pub(super) fn url_hash(app: &App, owner_id: UserId, destination: &Destination) -> KeyedHash {
    let url = destination.url.as_str();
    app.lookup_key
        .hash("task_url", &format!("{owner_id} {url}"))
}

/// What a task calls and when, or all that is wrong with either. That a schedule is never due is left to the decision, but told if
/// the request is refused anyway.
pub(super) fn all_terms<D>(
    destination: Result<D, Error>,
    plan: Result<Option<NewPlan>, Error>,
    is_refused: bool,
) -> Result<(D, Option<NewPlan>), Error> {
    let is_refused = is_refused || destination.is_err();
    let plan = match plan {
        Ok(Some(plan)) if is_refused && !plan.is_due => {
            Err(refused(ScheduleError::NeverDue.into()))
        }
        plan => plan,
    };
    Error::both(destination, plan)
}

/// The schedule, and whether it is ever due, which is found where blocking is allowed: to find that it is not takes some milliseconds.
pub(super) async fn schedule(
    app: &App,
    owner_id: UserId,
    cron: Cron,
    zone: Zone,
) -> Result<(Schedule, bool), Error> {
    let now = app.clock.now();
    let turn = app.schedules.turn(owner_id.0).await?;
    let made = patient_work::run(move || {
        let _turn = turn;
        let (cron, zone) = (cron.as_str(), zone.as_str());
        let refusal = |fault| Refusal::from(task::Error::from(fault));
        Refusal::all(Schedule::faults(cron, zone).into_iter().map(refusal))?;
        let schedule = Schedule::read(cron, zone).map_err(refusal)?;
        let is_due = schedule.is_due(now);
        Ok::<_, Refusal>((schedule, is_due))
    });
    Ok(made.await.map_err(Error::internal)??)
}

pub(super) fn refused(error: task::Error) -> Error {
    Error::Refused(error.into())
}

/// The first slots of a schedule after a time.
pub(super) fn next_slots(schedule: Option<&Schedule>, after: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let Some(schedule) = schedule else {
        return Vec::new();
    };
    let slots = std::iter::successors(schedule.next_after(after), |last| {
        schedule.next_after(*last)
    });
    slots.take(NEXT_SLOTS).collect()
}

/// The secret that follows from an id. So the same definition sent again is answered with the same one, although no answer is
/// stored.
pub(super) fn secret(app: &App, id: Uuid) -> String {
    let key = app.lookup_key.mac("task_secret", id.as_bytes());
    format!("whsec_{}", STANDARD.encode(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_of_headers_are_told() {
        let headers = [
            ("good", "x"),
            ("Host", "example.com"),
            ("x y", "z"),
            ("a", "b\u{e9}"),
            ("b", &"c".repeat(1_001)),
            (&"d".repeat(101), ""),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let told = are_headers(&headers.into(), &()).unwrap_err().to_string();
        let expected = "must hold headers that a call may have: the call sets `Host` itself; \
                        the value of `a` has other characters than those of ASCII that are seen, and blanks; \
                        the value of `b` has more than 1,000 characters; \
                        a name has more than 100 characters; `x y` is no name of a header";
        assert_eq!(told, expected);
        let twice = ["X-Key", "content-type", "Content-Type", "CONTENT-type"];
        let twice = twice.map(|name| (name.to_owned(), "a".to_owned()));
        let told = are_headers(&twice.into(), &()).unwrap_err().to_string();
        let expected = "must hold headers that a call may have: \
                        `CONTENT-type` and `Content-Type` and `content-type` are one header";
        assert_eq!(told, expected);
        let good = [("x-api-key".to_owned(), "k 4711".to_owned())];
        assert!(are_headers(&good.into(), &()).is_ok());
    }
}

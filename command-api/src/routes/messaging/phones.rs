//! The routes by which users state a telephone number, prove that it is theirs, and remove it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use chrono::TimeDelta;
use garde::Validate;
use rand::Rng;
use serde::{Deserialize, Serialize};
use tidemark_domain::Command;
use tidemark_domain::identity::user;
use tidemark_domain::messaging::message::TextLimits;
use tidemark_domain::messaging::phone::{RemovePhone, StatePhone, VerifyPhone};
use tidemark_event_store::SubjectKeyUse;
use tidemark_events::identity::user::Event as UserEvent;
use tidemark_events::messaging::message::Event as MessageEvent;
use tidemark_events::{Event, KeyedHash, MessageId, PhoneNumber, UserId};
use tidemark_platform::config;
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use tidemark_platform::openapi::responses;
use tidemark_platform::tidemark;
use tidemark_platform::tidemark::Token;
use tracing::Instrument;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, response, response_with};
use crate::caller::{Caller, NoIdempotencyKey};
use crate::error::Error;
use crate::executor::Accepted;
use crate::routes::description::RefusalsOf;

/// The number of codes, each of which is written with six digits.
const CODES: u64 = 1_000_000;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(state))
        .routes(routes!(verify))
        .routes(routes!(remove))
}

/// How many texts are sent, as the configuration says.
pub(super) const fn text_limits(settings: &config::Sms) -> TextLimits {
    TextLimits {
        per_10_minutes_max: settings.per_10_minutes_max,
        per_day_max: settings.per_day_max,
        codes_per_10_minutes_max: settings.codes_per_10_minutes_max,
        codes_per_day_max: settings.codes_per_day_max,
        segments_max: settings.segments_max,
        segments_per_day_max: settings.segments_per_day_max,
        code_segments_per_day_max: settings.code_segments_per_day_max,
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct StatedPhone {
    /// The number as E.164 has it: `+`, the code of the country, and the rest, without anything in between. It is stored
    /// encrypted.
    #[schema(value_type = String, pattern = r"^\+[1-9][0-9]{6,14}$", example = "+4915123456789")]
    number: PhoneNumber,
}

/// State your telephone number
///
/// A text brings a code there, which proves that the number is yours when you send it to `…/phone/verify`; until then a number
/// that was verified before stays yours. Stating a number again sends another code. It is answered in the same way if the number is
/// sent nothing now, because a text could not be delivered there or its owner wants none: operators see that, and nobody else. Only
/// the user may do this; for everybody else the path does not exist.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/phone",
    operation_id = "state_phone",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user: yourself")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<StatePhone>)
)]
async fn state(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<StatedPhone>,
) -> Result<Response, Problem> {
    let user_id = UserId(id);
    let (command, code_key) = statement(&app, user_id, &body.number).await?;
    let mut submission = app.submission(&caller, StatusCode::OK, id, command)?;
    submission.subject_keys.push(code_key);
    let accepted = app.executor.execute(submission).await?;
    if let Some(message_id) = unsent(&accepted) {
        // Whoever waits is not to see by the time that there is more to do.
        tokio::spawn(forget(app, message_id).in_current_span());
    }
    Ok(response(&accepted))
}

/// The text that is not sent, if it is not.
fn unsent(accepted: &Accepted) -> Option<MessageId> {
    accepted.events.iter().find_map(|event| {
        if let Event::Message(MessageEvent::Suppressed { message_id, .. }) = event {
            Some(*message_id)
        } else {
            None
        }
    })
}

/// Destroys the key of a code that nobody is sent.
async fn forget(app: App, message_id: MessageId) {
    if let Err(error) = app.subject_keys.destroy(UserId(message_id.0)).await {
        tracing::warn!(%error, "cannot destroy the key of a code that is not sent");
    }
}

/// The command with the number and a new code, both sealed, and the key of the code.
async fn statement(
    app: &App,
    user_id: UserId,
    number: &PhoneNumber,
) -> Result<(StatePhone, SubjectKeyUse), Problem> {
    let settings = &app.config.sms;
    let key = app.subject_keys.key_of(user_id).await;
    let key = key.map_err(Error::from)?;
    let key = key.ok_or_else(|| Error::Refused(user::Error::NotFound.into()))?;
    let number_of_user = user::PhoneNumber {
        number: key
            .seal("phone_number", number.as_str())
            .map_err(Error::from)?,
        hash: app.lookup_key.hash("phone_number", number.as_str()),
    };
    let message_id = MessageId(new_id());
    let code = new_code();
    // The code has a key of its own, under the id of the text: it is destroyed when the sending has ended.
    let code_key = app.subject_keys.create(UserId(message_id.0));
    let code_key = code_key.map_err(Error::from)?;
    let command = StatePhone {
        user_id,
        number: number_of_user,
        is_served: number.begins_with_any(&settings.allowed_prefixes),
        message_id,
        code: code_key
            .key
            .seal("phone_code", &code)
            .map_err(Error::from)?,
        code_hash: hash_of(app, user_id, &code),
        code_ttl: TimeDelta::seconds(settings.code_s),
        limits: text_limits(settings),
    };
    let code_key = SubjectKeyUse {
        subject: message_id.0,
        version: code_key.version,
        wrapped: Some(code_key.wrapped),
    };
    Ok((command, code_key))
}

#[expect(
    clippy::disallowed_methods,
    reason = "codes are drawn here and nowhere else"
)]
fn new_code() -> String {
    let mut drawn = [0; size_of::<u64>()];
    rand::rng().fill_bytes(&mut drawn);
    format!("{:06}", u64::from_le_bytes(drawn) % CODES)
}

/// The keyed hash of a code of this user.
fn hash_of(app: &App, user_id: UserId, code: &str) -> KeyedHash {
    let value = format!("{user_id} {code}");
    app.lookup_key.hash("phone_code", &value)
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct PhoneCode {
    /// The six digits that the text brings.
    #[garde(custom(is_code))]
    #[schema(pattern = "^[0-9]{6}$", example = "042137")]
    code: String,
}

/// The rule of `garde` that a code is six digits.
fn is_code<C>(code: &str, _context: &C) -> garde::Result {
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(garde::Error::new("must be six digits"))
}

/// A telephone number that is verified.
#[derive(Debug, Serialize, ToSchema)]
struct VerifiedPhone {
    /// The id of the user whose number it is.
    id: Uuid,
    /// The version of the user after the command.
    #[schema(minimum = 1, example = 7)]
    version: i64,
}

struct VerificationProblems;

impl IntoResponses for VerificationProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = VerifyPhone::refusals().into_iter().map(Error::from);
        responses(refusals.map(Problem::from).chain([wrong_code()]))
    }
}

/// The refusal, which reflects that it is on record.
fn wrong_code_at(token: Token) -> Problem {
    match HeaderValue::try_from(token.to_string()) {
        Ok(value) => wrong_code().header(tidemark::HEADER, value),
        Err(_) => wrong_code(),
    }
}

fn wrong_code() -> Problem {
    Problem::conflict("wrong_phone_code", "This is not the code of the text.").explained(
        "The code is another one than that of the newest text. It counts: only so many can be tried.",
        "Send the code of the newest text, or state the number again.",
    )
}

/// Verify your telephone number
///
/// The code is that of the newest text. A wrong one is put on record, and after a few of them the right one proves nothing any more.
/// Only the user may do this; for everybody else the path does not exist.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/phone/verify",
    operation_id = "verify_phone",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user: yourself")),
    security(("user" = [])),
    responses((status = 200, body = VerifiedPhone), VerificationProblems)
)]
async fn verify(
    State(app): State<App>,
    _: NoIdempotencyKey,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<PhoneCode>,
) -> Result<Response, Problem> {
    let user_id = UserId(id);
    let command = VerifyPhone {
        user_id,
        code_hash: hash_of(&app, user_id, &body.code),
        attempts_max: app.config.sms.code_attempts_max,
    };
    let submission = app.submission(&caller, StatusCode::OK, id, command)?;
    let accepted = app.executor.execute(submission).await?;
    if let Some(Event::User(UserEvent::PhoneCodeRefused { .. })) = accepted.events.first() {
        return Err(wrong_code_at(Token {
            timeline: accepted.timeline,
            position: accepted.position,
        }));
    }
    Ok(response_with(&accepted, |AcceptedBody { id, version }| {
        VerifiedPhone { id, version }
    }))
}

/// Remove your telephone number
///
/// No more texts are sent, and a code that is awaited proves nothing any more. Only the user may do this; for everybody else the
/// path does not exist.
#[utoipa::path(
    delete,
    path = "/v1/users/{id}/phone",
    operation_id = "remove_phone",
    tag = "users",
    params(("id" = Uuid, Path, description = "The user: yourself")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<RemovePhone>)
)]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = RemovePhone {
        user_id: UserId(id),
    };
    app.change(&caller, id, command).await
}

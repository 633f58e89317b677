//! The routes by which reactors have messages sent, and record how that ended.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::Reason;
use tidemark_domain::messaging::message;
use tidemark_domain::messaging::message::{End, Request};
use tidemark_events::messaging::message::{Outcome, Status, Template};
use tidemark_events::{ContactPointId, MessageId, UserId};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::error::Error;
use crate::routes::description::RefusalsOf;
use crate::routes::sealed_value::SealedValue;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(request))
        .routes(routes!(end))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewMessage {
    /// What the message says.
    template: MessageTemplate,
    /// The e-mail address, sealed as `email`. Its subject is the recipient.
    #[garde(dive)]
    to: SealedValue,
    /// The name of the recipient, sealed as `display_name`.
    #[garde(dive)]
    name: SealedValue,
}

/// What a message says that brings no notification.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum MessageTemplate {
    /// Greets somebody who has registered.
    Welcome,
}

impl From<MessageTemplate> for Template {
    fn from(template: MessageTemplate) -> Self {
        match template {
            MessageTemplate::Welcome => Self::Welcome,
        }
    }
}

/// Have a message sent
///
/// It is not sent if nothing is sent to the address now, and that is put on record. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/messages",
    operation_id = "request_message",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Request>)
)]
async fn request(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewMessage>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Request {
        message_id: MessageId(id),
        template: body.template.into(),
        to: body.to.into(),
        name: body.name.into(),
        not_after: None,
        per_hour_max: app.config.mail.per_hour_max,
        locale: app.mail_locale.clone(),
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct MessageEnd {
    /// How the sending of the message ended.
    outcome: Outcome,
    /// The codes of the server's answer; leave them out if there was none.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 20, example = "250 2.0.0")]
    status: Option<Status>,
}

/// Record how the sending of a message ended
///
/// A mail that must be told is sent once more if it is uncertain whether the server has it. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/messages/{id}/end",
    operation_id = "end_message",
    tag = "services",
    security(("service" = [])),
    params(("id" = Uuid, Path, description = "The message.")),
    responses((status = 200, body = AcceptedBody), RefusalsOf<End>)
)]
async fn end(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(body): Json<MessageEnd>,
) -> Result<Response, Problem> {
    let repeat_after_s = app.config.mail.repeat_after_s;
    let command = End {
        message_id: MessageId(id),
        outcome: body.outcome,
        status: body.status,
        repeat_after: (repeat_after_s > 0).then(|| TimeDelta::seconds(repeat_after_s)),
        contact_point_id: ContactPointId(new_id()),
    };
    let ended = app.change(&caller, id, command).await;
    // Once it is on record how the sending ended, nobody needs any more what only this message's own key opens. The sender repeats
    // this command until it has an answer, so that the key is destroyed also if this process dies in between.
    let is_on_record = |problem: &Problem| problem.code() == message::Error::Over.code().name;
    if ended.as_ref().err().is_none_or(is_on_record) {
        app.subject_keys
            .destroy(UserId(id))
            .await
            .map_err(Error::from)?;
    }
    ended
}

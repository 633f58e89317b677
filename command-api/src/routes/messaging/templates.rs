//! The routes by which operators publish what messages say, and retire it.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::messaging::rendering::Checked;
use tidemark_domain::messaging::template::{Publish, Retire};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::template::{BodySource, MessageCategory, SubjectSource};
use tidemark_events::{Locale, TemplateId};
use tidemark_platform::http::{Json, Path, Problem};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(publish))
        .routes(routes!(retire))
}

/// By which channel messages are sent that have templates.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TemplateChannel {
    /// By mail.
    Mail,
    /// By a text to a telephone.
    Sms,
}

impl From<TemplateChannel> for Channel {
    fn from(channel: TemplateChannel) -> Self {
        match channel {
            TemplateChannel::Mail => Self::Mail,
            TemplateChannel::Sms => Self::Sms,
        }
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewTemplate {
    /// By which channel the messages are sent.
    channel: TemplateChannel,
    /// The language of the words, with or without a country.
    #[schema(value_type = String, pattern = "^[a-z]{2,3}(-[A-Z]{2})?$", example = "en")]
    locale: Locale,
    /// What the messages tell of.
    category: MessageCategory,
    /// The subject of mails, with places for variables: `{{ title }}`. Texts have none.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 300, example = "You were outbid: {{ title }}")]
    subject: Option<SubjectSource>,
    /// The body, with places for variables. What depends on `amount`, of which there may be none, stands between
    /// `{% if amount %}` and `{% endif %}`.
    #[schema(
        value_type = String,
        max_length = 20_000,
        example = "Hello {{ name }},\n\nsomebody else has bid more for {{ title }}."
    )]
    body: BodySource,
}

/// Publish what messages say
///
/// Messages that are asked for from then on use these words, in place of those before. They are tried out with samples first; a
/// variable that such messages do not have is named in the problem. The variables are `name`, `title`, `amount` and `auction_id`,
/// of `task_paused` `name`, `task`, `task_id` and `reason`, and of `welcome` only `name`. Texts do not name the recipient, and must
/// fit into as many segments as the configuration allows, for which titles and names of tasks are shortened. The answer has the id of the template and its version, which messages name. Only operators may do
/// this.
#[utoipa::path(
    post,
    path = "/v1/templates",
    operation_id = "publish_template",
    tag = "operations",
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Publish>)
)]
async fn publish(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewTemplate>,
) -> Result<Response, Problem> {
    let (category, max) = (body.category, app.config.sms.segments_max);
    let words = match body.channel {
        TemplateChannel::Mail => Checked::of_mail(category, body.subject, body.body),
        TemplateChannel::Sms => Checked::of_text(category, body.subject.as_ref(), body.body, max),
    };
    let command = Publish {
        channel: body.channel.into(),
        locale: body.locale,
        category: body.category,
        words,
    };
    let id = command.template_id().0;
    let location = Location("/v1/operations/templates");
    app.create(&caller, id, command, location).await
}

/// Retire what messages say
///
/// Messages that are asked for from then on say what they say without a template. Only operators may do this.
#[utoipa::path(
    post,
    path = "/v1/templates/{id}/retire",
    operation_id = "retire_template",
    tag = "operations",
    params(("id" = Uuid, Path, description = "The template")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Retire>)
)]
async fn retire(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Retire {
        template_id: TemplateId(id),
    };
    app.change(&caller, id, command).await
}

//! Readings of history, recorded by the process that shows it.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::audit::reading::Record;
use tidemark_events::audit::reading::Scope;
use tidemark_events::{ReadingId, Timestamp, UserId};
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App};
use crate::caller::Caller;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewReading {
    /// Who read.
    reader_id: Uuid,
    /// What they were shown.
    scope: Shown,
}

/// A part of history. A fact's own type would pass over fields that it does not know.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Shown {
    /// A stream's events.
    Stream {
        /// Which.
        stream_id: Uuid,
        /// Where the page began.
        after_version: i64,
    },
    /// What a stream's state was.
    State {
        /// Which.
        stream_id: Uuid,
        /// As of a version,
        version: Option<i64>,
        /// or of a moment.
        #[schema(value_type = Option<String>, format = DateTime)]
        at: Option<Timestamp>,
    },
    /// The log.
    Log {
        /// Where the page began.
        after_position: i64,
        /// Events of this type.
        event_type: Option<String>,
        /// Events of this aggregate.
        aggregate: Option<String>,
        /// Events that this actor caused.
        actor: Option<String>,
        /// Events from this moment on.
        #[schema(value_type = Option<String>, format = DateTime)]
        from: Option<Timestamp>,
        /// Events before this moment.
        #[schema(value_type = Option<String>, format = DateTime)]
        until: Option<Timestamp>,
    },
}

impl From<Shown> for Scope {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Stream {
                stream_id,
                after_version,
            } => Self::Stream {
                stream_id,
                after_version,
            },
            Shown::State {
                stream_id,
                version,
                at,
            } => Self::State {
                stream_id,
                version,
                at,
            },
            Shown::Log {
                after_position,
                event_type,
                aggregate,
                actor,
                from,
                until,
            } => Self::Log {
                after_position,
                event_type,
                aggregate,
                actor,
                from,
                until,
            },
        }
    }
}

/// Record that an auditor is shown a page of history (services)
#[utoipa::path(
    post,
    path = "/v1/readings",
    tag = "audit",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), Problem)
)]
async fn record(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewReading>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Record {
        reading_id: ReadingId(id),
        reader_id: UserId(body.reader_id),
        scope: body.scope.clone().into(),
    };
    app.create(&caller, &body, id, command).await
}

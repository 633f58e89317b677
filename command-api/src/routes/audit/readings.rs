//! The route by which a service records that it is about to show history to an auditor.

use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::audit::reading::Record;
use tidemark_events::audit::reading::{Name, Scope};
use tidemark_events::{Moment, ReadingId, SessionId, Stored, UserId};
use tidemark_platform::http::{Json, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(record))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewReading {
    /// The auditor who asked for the history.
    reader_id: Uuid,
    /// The session in which the auditor asked.
    session_id: Uuid,
    /// The part of the history that the auditor is shown.
    #[garde(dive)]
    scope: Shown,
}

/// The part of the history that an auditor is shown.
// The scope of the event is not deserialized directly: it would ignore fields that it does not know.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[garde(allow_unvalidated)]
enum Shown {
    /// A page of the events of one stream.
    Stream {
        /// The stream.
        stream_id: Uuid,
        /// The version after which the page begins.
        #[garde(range(min = 0))]
        #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64)]
        after_version: i64,
    },
    /// The state that a stream had.
    State {
        /// The stream.
        stream_id: Uuid,
        /// The version whose state is shown, if it was asked for by version.
        #[garde(range(min = 1))]
        #[schema(minimum = 1, maximum = 9_007_199_254_740_991i64)]
        version: Option<i64>,
        /// The moment whose state is shown, if it was asked for by time.
        #[schema(value_type = Option<String>, format = DateTime)]
        at: Option<Moment>,
    },
    /// A page of the log.
    Log {
        /// The position after which the page begins.
        #[garde(range(min = 0))]
        #[schema(minimum = 0, maximum = 9_007_199_254_740_991i64)]
        after_position: i64,
        /// The event type that the page is restricted to.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "auction.opened")]
        event_type: Option<Name>,
        /// The aggregate that the page is restricted to.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "auction")]
        aggregate: Option<Name>,
        /// The actor whose events the page is restricted to.
        #[schema(value_type = Option<String>, min_length = 1, max_length = 100, example = "anonymous")]
        actor: Option<Name>,
        /// The moment from which on events are shown.
        #[schema(value_type = Option<String>, format = DateTime)]
        from: Option<Moment>,
        /// The moment before which events are shown.
        #[schema(value_type = Option<String>, format = DateTime)]
        until: Option<Moment>,
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
                at: at.map(Stored::from),
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
                event_type: event_type.map(Stored::from),
                aggregate: aggregate.map(Stored::from),
                actor: actor.map(Stored::from),
                from: from.map(Stored::from),
                until: until.map(Stored::from),
            },
        }
    }
}

/// Record that an auditor is shown a part of the history
///
/// Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/readings",
    operation_id = "record_reading",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Record>)
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
        session_id: SessionId(body.session_id),
        scope: body.scope.into(),
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}

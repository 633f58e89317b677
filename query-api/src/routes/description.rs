//! What the description says of all routes of this API.

use tidemark_events::Aggregate;
use tidemark_platform::config;
use tidemark_platform::openapi;
use tidemark_platform::openapi::{Described, Header};
use tidemark_platform::tidemark;
use utoipa::OpenApi;

use crate::error;
use crate::error::{Error, NamedBy};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidemark query API",
        description = "Read models, live updates and the audit trail. Send the newest `Tidemark` that you have \
                       seen with any query, and the answer is not from before it."
    ),
    servers((url = "/", description = "The process that this description comes from.")),
    tags(
        (name = "auctions", description = "Auctions: one by its id, as lists, and as live updates."),
        (name = "audit", description = "What ever happened, for auditors. Each reading is put on record first."),
        (name = "bids", description = "The bids of an auction, and those of the user who asks."),
        (name = "categories", description = "The tree that products are filed under."),
        (name = "media", description = "Pictures: what a user has uploaded, and their bytes for everybody."),
        (name = "messages", description = "What was sent to people, and to whom nothing is sent, for operators."),
        (name = "notifications", description = "What the user who asks is told, and by which channels."),
        (name = "operations", description = "How everything is that follows the log, for operators."),
        (name = "products", description = "What is or was for sale."),
        (name = "tasks", description = "Users see their tasks, and what came of each run."),
        (name = "users", description = "What users may know of themselves and of others.")
    )
)]
struct Document;

/// The complete description of the routes that `paths` describes.
pub(super) fn of(
    paths: utoipa::openapi::OpenApi,
    limits: &config::Query,
) -> utoipa::openapi::OpenApi {
    openapi::complete(Document::openapi().merge_from(paths), |operation| {
        operation.bound_parameter("limit", limits.page_max, limits.page_default);
        describe(operation);
    })
}

/// What holds of all queries.
fn describe(operation: &mut Described<'_>) {
    if operation.is_tagged("problems") {
        operation.answers_document();
        return;
    }
    operation.takes(Header::TIDEMARK_AT_LEAST);
    operation.refuses([tidemark::malformed()]);
    operation.refuses([
        Error::OtherTimeline(NamedBy::Token),
        Error::FuturePosition(NamedBy::Token),
    ]);
    if operation.is_tagged("operations") {
        operation.refuses([Error::NotOperator]);
    } else {
        operation.refuses([Error::Blocked, Error::Parked, Error::Behind]);
    }
    if operation.is_tagged("messages") {
        operation.refuses([Error::NotOperator]);
    }
    if operation.answers_schema(lists_by_address) {
        operation.takes(Header::EMAIL_ADDRESS);
        operation.takes(Header::PHONE_NUMBER);
        operation.refuses([error::malformed_address(), error::malformed_number()]);
    }
    operation.refuses([error::storage_unavailable(), error::too_slow()]);
    if operation.has_path_parameter() {
        operation.refuses([Error::NotFound]);
    }
    if operation.is_tagged("audit") {
        let types = Aggregate::ALL.iter().flat_map(|it| it.event_types());
        operation.list_parameter("aggregate", Aggregate::ALL.iter().map(|it| it.name()));
        operation.list_parameter("type", types.copied());
        operation.refuses([
            Error::NotAuditor,
            Error::LoggedOut,
            Error::NotRecorded(String::new()),
            Error::FutureVersion,
            Error::FutureMoment,
        ]);
        operation.refuses([error::newer_build()]);
    }
    if operation.answers_media_type("text/event-stream") {
        operation.takes(Header::LAST_EVENT_ID);
        operation.refuses([Error::TooManyClients, Error::NotFound]);
        operation.refuses([error::malformed_last_event_id()]);
    } else if !operation.answers_schema(|name| name.ends_with("Page")) {
        operation.answers_document();
    }
    if operation.answers_media_type("image/png") {
        describe_ranges(operation);
    }
    operation.answers(Header::TIDEMARK);
    operation.answers(Header::TIDEMARK_PARKED);
}

/// Whether the items of such a page are looked for by an address.
fn lists_by_address(schema: &str) -> bool {
    ["DeliveryPage", "SuppressionPage"].contains(&schema)
}

/// What requests and answers say in headers of parts of a file.
fn describe_ranges(operation: &mut Described<'_>) {
    operation.takes(Header::RANGE);
    operation.takes(Header::IF_RANGE);
    operation.answers(Header::ACCEPT_RANGES);
    operation.answers(Header::CONTENT_DISPOSITION);
    operation.answers_if("206", Header::CONTENT_RANGE);
    operation.answers_if("416", Header::CONTENT_RANGE);
}

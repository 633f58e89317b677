//! What the description says of all routes of this API, and the types by which a route names its problems.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::http::Method;
use tidemark_domain::Command;
use tidemark_platform::http::IdempotencyKey;
use tidemark_platform::openapi;
use tidemark_platform::openapi::{Described, Header};
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, OpenApi};

use crate::caller::{NoIdempotencyKey, malformed_causation_id};
use crate::error::Error;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidemark command API",
        description = "Accepts commands. Each answer is sent after its events are durable in the log, and \
                       carries the header `Tidemark`. Send that header with a query, and the query reflects \
                       the command. Where something was created, the header `Location` says where it is."
    ),
    servers((url = "/", description = "The process that this description comes from.")),
    tags(
        (name = "auctions", description = "Sellers schedule and cancel auctions, and buyers bid and buy."),
        (name = "categories", description = "Admins keep the tree that products are filed under."),
        (name = "media", description = "Users upload pictures, which what they belong to shows."),
        (name = "notifications", description = "Users read notifications, and choose how they are notified."),
        (name = "operations", description = "Operators let messages be sent again that something had stopped."),
        (name = "products", description = "Sellers describe and list what they want to sell."),
        (name = "services", description = "What only other parts of Tidemark may send. A service authenticates \
                                          by a secret of the configuration."),
        (name = "sessions", description = "Users log in, refresh their tokens, and log out."),
        (name = "tus", description = "Uploads that go on after they were interrupted, by tus 1.0."),
        (name = "tasks", description = "Users have URLs called on a schedule or on request."),
        (name = "users", description = "People register, and admins grant and revoke roles.")
    )
)]
struct Document;

/// The complete description of the routes that `paths` describes.
pub(super) fn of(paths: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    openapi::complete(Document::openapi().merge_from(paths), describe)
}

/// What holds of all commands, and of the documents that tell about this process.
fn describe(operation: &mut Described<'_>) {
    if operation.is_tagged("tus") {
        describe_tus(operation);
    }
    if !operation.is_command() {
        if !lists_uploads(operation) {
            operation.answers_document();
        }
        return;
    }
    operation.reads_credentials();
    operation.refuses([
        Error::CommandNotAllowed("place_bid"),
        Error::TooManyEvents,
        Error::EventTooLarge,
        Error::Overloaded,
        Error::Contended,
        Error::StorageUnavailable,
        Error::LogSetBack,
        Error::NewerBuild,
        Error::ShuttingDown,
    ]);
    // What is made is at version 0 before.
    if operation.has_path_parameter() || operation.answers_schema(says_version) {
        operation.takes_condition();
    }
    operation.answers(Header::TIDEMARK);
    operation.answers_if("201", Header::LOCATION);
    if operation.is_tagged("services") {
        operation.takes(Header::CAUSATION_ID);
        operation.takes(Header::REACTOR);
        operation.refuses([malformed_causation_id()]);
    }
    if operation.answers_schema(says_version) {
        describe_idempotency(operation);
        operation.answers(Header::ETAG);
    } else if operation.is_tagged("tus") {
        // What sends bytes says from where on, and so acts once without a key.
        if operation.method() == Method::DELETE {
            describe_idempotency(operation);
        }
        operation.answers(Header::ETAG);
    } else {
        operation.refuses([NoIdempotencyKey::key_sent()]);
    }
    if operation.answers_schema(|schema| schema == "VerifiedPhone") {
        operation.answers(Header::ETAG);
        // A wrong code is on record, so that its refusal reflects something, too.
        operation.answers_if("409", Header::TIDEMARK);
    }
}

/// Whether this is the body of answers to commands with the version after the command. Those that hold more can be given again
/// without having been stored, since that follows from the id or stands in the log.
fn says_version(schema: &str) -> bool {
    let bodies = [
        "Accepted",
        "DefinedTask",
        "NewTaskSecret",
        "TaskAfterChange",
    ];
    bodies.contains(&schema)
}

/// Whether the operation answers several uploads, and so neither one document nor how far one has come.
fn lists_uploads(operation: &Described<'_>) -> bool {
    operation.answers_schema(|schema| schema == "UploadPage")
}

/// What requests and answers of uploads that go on say in headers.
fn describe_tus(operation: &mut Described<'_>) {
    operation.takes(Header::TUS_RESUMABLE);
    operation.answers_always(Header::TUS_RESUMABLE);
    operation.answers_if("412", Header::TUS_VERSION);
    match operation.method().as_str() {
        "POST" => {
            operation.takes(Header::UPLOAD_LENGTH);
            operation.takes(Header::UPLOAD_METADATA);
            operation.answers(Header::UPLOAD_EXPIRES);
        }
        "PATCH" => {
            operation.takes(Header::UPLOAD_OFFSET);
            operation.takes(Header::UPLOAD_CHECKSUM);
        }
        _ => {}
    }
    if lists_uploads(operation) {
        return;
    }
    if operation.method() == "GET" {
        operation.answers(Header::UPLOAD_METADATA);
    }
    if matches!(operation.method().as_str(), "GET" | "PATCH") {
        operation.answers(Header::UPLOAD_OFFSET);
        operation.answers(Header::UPLOAD_LENGTH);
        operation.answers(Header::UPLOAD_EXPIRES);
    }
}

/// An answer that holds no secrets can be given again, so its command takes a key.
fn describe_idempotency(operation: &mut Described<'_>) {
    operation.takes(Header::IDEMPOTENCY_KEY);
    operation.answers(Header::IDEMPOTENCY_REPLAYED);
    operation.refuses([IdempotencyKey::malformed()]);
    operation.refuses([Error::IdempotencyKeyReused]);
}

/// The refusals of a command, as problems of its route.
pub(super) struct RefusalsOf<C>(PhantomData<C>);

impl<C: Command> IntoResponses for RefusalsOf<C> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        openapi::responses(C::refusals().into_iter().map(Error::from))
    }
}

//! The route that takes a whole file in one request.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::Command;
use tidemark_domain::media::media::{
    CompleteUpload, ContinueUpload, EndUpload, Media as MediaState, OpenUpload,
};
use tidemark_event_store::{SubjectKey, SubjectKeyUse};
use tidemark_events::media::media::{EndReason, PictureType, Purpose};
use tidemark_events::{Actor, MediaId};
use tidemark_platform::http::{Problem, Query};
use tidemark_platform::ids::new_id;
use tidemark_platform::media_store::Error as StoreError;
use tidemark_platform::openapi::responses;
use tracing::Instrument;
use utoipa::openapi::RefOr;
use utoipa::{IntoParams, IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location, created};
use crate::caller::Caller;
use crate::error::Error;
use crate::executor::Accepted;
use crate::media;
use crate::media::{Media, Unstored, Upload};

/// Where the answer to an upload is found.
const LOCATION: Location = Location("/v1/media/{id}");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Parameters {
    /// What the file is for.
    #[param(inline)]
    purpose: Purpose,
}

/// The bytes of a picture.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary, example = "the bytes of the file")]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct PictureFile(Vec<u8>);

/// Every way in which an upload in one request is refused.
struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = [OpenUpload::refusals(), CompleteUpload::refusals()].concat();
        let refusals = refusals.into_iter().map(|it| Error::from(it).into());
        let erased = [Error::SubjectErased.into()];
        responses(refusals.chain(media::problems()).chain(erased))
    }
}

/// Upload a picture
///
/// The body is the file, and `Content-Type` its type: `image/jpeg`, `image/png` or `image/webp`; with
/// `application/octet-stream`, or without one, it is found out. The file is looked at before the answer: what is no picture of
/// its type is refused, and what is kept is written anew in several sizes, without metadata. Only
/// sellers may upload pictures of products, and only admins those of categories; an avatar is of its user, and is sealed. What nothing shows within a day is deleted.
///
/// An upload that breaks off comes to nothing. It can be sent again, also under its `Idempotency-Key`; to go on with one, open
/// it at `POST /v1/uploads`.
#[utoipa::path(
    post,
    path = "/v1/media",
    operation_id = "upload_media",
    tag = "media",
    params(Parameters),
    request_body(content = PictureFile, content_type = "application/octet-stream"),
    security(("user" = [])),
    responses(
        (status = 201, body = AcceptedBody),
        Refused,
    )
)]
async fn upload(
    State(app): State<App>,
    mut caller: Caller,
    Query(parameters): Query<Parameters>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let media = app.media.clone().ok_or_else(media::not_kept)?;
    let purpose = parameters.purpose;
    let picture_type = picture_type(&headers)?;
    let bytes = length(&headers, media::bytes_max(&app.config.media, purpose))?;
    let owner = owner(&app, &caller, purpose).await?;
    let receiving = media.receiving(caller.share())?;
    let id = new_id();
    let open = OpenUpload {
        media_id: MediaId(id),
        purpose,
        picture_type,
        bytes,
        quota: media::quota(&app.config.media),
        periods: media::periods(&app.config.media),
    };
    // The key belongs to the command that stores the file: what it stands for is known only when all bytes have arrived.
    let key = caller.idempotency_key.take();
    let has_key = key.is_some();
    let media_type = headers.get(CONTENT_TYPE).cloned();
    let keyed = move |caller: &Caller, sha256: String| {
        let mut keyed = caller.clone();
        keyed.idempotency_key.clone_from(&key);
        keyed.describe_body(format!("{query:?} {media_type:?} {sha256}"));
        keyed
    };
    let bytes = bytes.unsigned_abs();
    let opening = app.submission(&caller, StatusCode::CREATED, id, open)?;
    if let Err(error) = app.executor.execute(opening).await {
        if !has_key || !matches!(error, Error::Refused(_)) {
            return Err(error.into());
        }
        let sha256 = receiving.receive(None, bytes, body).await?;
        return answer_again(&app, &media, &keyed(&caller, sha256), id, error).await;
    }
    let file = Arrived {
        upload: Upload {
            id: MediaId(id),
            owner,
        },
        bytes,
        picture_type,
    };
    // It goes on by itself if the client is gone.
    let storing = async move {
        let stored = match receiving.receive(Some(&file.upload), bytes, body).await {
            Ok(sha256) => store(&app, &media, &keyed(&caller, sha256), file).await,
            Err(problem) => Err(problem),
        };
        // Nobody can go on with it. If it was stored before under the key, the answer is about that.
        if stored.as_ref().map(|it| it.stream_id).ok() != Some(id) {
            let ended = end(&app, &media, &caller, MediaId(id), EndReason::Aborted);
            log_failure(ended.await);
        }
        stored
    };
    let stored = tokio::spawn(storing.in_current_span()).await;
    Ok(created(&stored.map_err(Problem::internal)??, LOCATION))
}

/// Answers an upload that cannot be opened as it was answered when its file was stored under the same key, if it was. Else it is
/// `refused`.
async fn answer_again(
    app: &App,
    media: &Media,
    caller: &Caller,
    id: Uuid,
    refused: Error,
) -> Result<Response, Problem> {
    let again = media.stored_before(MediaId(id));
    let again = app.submission(caller, StatusCode::CREATED, id, again)?;
    match app.executor.execute(again).await {
        Ok(stored) => Ok(created(&stored, LOCATION)),
        Err(Error::Refused(_)) => Err(refused.into()),
        Err(other) => Err(other.into()),
    }
}

/// A file of which everything has arrived.
pub(super) struct Arrived {
    pub(super) upload: Upload,
    pub(super) bytes: u64,
    pub(super) picture_type: Option<PictureType>,
}

/// Stores an upload of which everything has arrived, and puts that on record.
pub(super) async fn store(
    app: &App,
    media: &Media,
    caller: &Caller,
    file: Arrived,
) -> Result<Accepted, Problem> {
    let id = file.upload.id;
    let owner = file.upload.owner.as_ref().map(SubjectKeyUse::of);
    let storing = media.store(file.upload, file.bytes, file.picture_type, caller.share());
    match storing.await {
        Ok(command) => {
            let mut submission = app.submission(caller, StatusCode::CREATED, id.0, command)?;
            // The key must still be there when it is put on record that something is sealed with it.
            submission.subject_keys = owner.into_iter().collect();
            let stored = app.executor.execute(submission).await;
            match stored {
                // Were it to go on, each further attempt would keep what is not counted.
                Err(Error::Refused(_)) => {
                    log_failure(end(app, media, caller, id, EndReason::Rejected).await);
                }
                Ok(_) | Err(_) => clean_up(app, media, id).await,
            }
            Ok(stored?)
        }
        Err(Unstored::Rejected(problem)) => {
            log_failure(end(app, media, caller, id, EndReason::Rejected).await);
            Err(problem)
        }
        Err(Unstored::Lost) => Err(lose(app, media, caller, id).await),
        Err(Unstored::Failed(problem)) => Err(problem),
    }
}

/// Ends an upload of which the store has lost or altered bytes, and returns what its client is told. If another request has completed
/// the upload, or ended it, or its time is over, its bytes were removed, and the client is told that it is over.
pub(super) async fn lose(app: &App, media: &Media, caller: &Caller, id: MediaId) -> Problem {
    let caller = without_key(caller);
    let open = app.change(&caller, id.0, ContinueUpload { media_id: id });
    if let Err(over) = open.await {
        return over;
    }
    match media.has_parts(id).await {
        Ok(true) => {}
        // The store is another one for now, as where a folder is not mounted, or the client can begin anew.
        Ok(false) => return media::unavailable(),
        Err(problem) => return problem,
    }
    match end(app, media, &caller, id, EndReason::Rejected).await {
        Ok(()) => {
            StoreError::Altered.report();
            media::lost()
        }
        Err(over) => over,
    }
}

/// Ends an upload that comes to nothing, and removes what is not needed of it.
///
/// # Errors
/// If it is over, or this cannot be put on record. Then it ends when its time is over.
async fn end(
    app: &App,
    media: &Media,
    caller: &Caller,
    id: MediaId,
    reason: EndReason,
) -> Result<(), Problem> {
    let command = EndUpload {
        media_id: id,
        reason,
    };
    let ended = app.change(&without_key(caller), id.0, command).await;
    clean_up(app, media, id).await;
    ended.map(drop)
}

fn log_failure(ended: Result<(), Problem>) {
    if let Err(problem) = ended {
        tracing::debug!(code = problem.code(), "an upload is not ended");
    }
}

/// The caller of a command that the key of the request does not belong to.
fn without_key(caller: &Caller) -> Caller {
    let mut caller = caller.clone();
    caller.idempotency_key = None;
    caller
}

/// Removes what is not needed of an upload, which another request may have ended meanwhile.
pub(super) async fn clean_up(app: &App, media: &Media, id: MediaId) {
    if let Ok(loaded) = app.executor.load_stream(id.0).await {
        media.clean_up(id, loaded.state::<MediaState>()).await;
    }
}

/// The key of the user who sends a file, if it is about them.
pub(super) async fn owner(
    app: &App,
    caller: &Caller,
    purpose: Purpose,
) -> Result<Option<SubjectKey>, Problem> {
    if !purpose.is_personal() {
        return Ok(None);
    }
    let Actor::User(user_id) = caller.actor() else {
        return Err(Problem::internal(
            "only users upload files about themselves",
        ));
    };
    let key = app.subject_keys.key_of(user_id).await;
    let key = key.map_err(|error| Problem::from(Error::from(error)))?;
    Ok(Some(key.ok_or(Error::SubjectErased)?))
}

/// The type that a client states of its file; none if the client does not know it.
fn picture_type(headers: &HeaderMap) -> Result<Option<PictureType>, Problem> {
    media::not_encoded(headers)?;
    let Some(stated) = headers.get(CONTENT_TYPE) else {
        return Ok(None);
    };
    media::picture_type(stated.to_str().unwrap_or_default())
}

/// How many bytes the file has.
fn length(headers: &HeaderMap, bytes_max: i64) -> Result<i64, Problem> {
    let stated = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    match stated.and_then(|it| it.parse::<u64>().ok()) {
        None => Err(media::length_required()),
        Some(0) => Err(media::empty()),
        Some(bytes) => match i64::try_from(bytes) {
            Ok(bytes) if bytes <= bytes_max => Ok(bytes),
            Ok(_) | Err(_) => Err(media::too_large(bytes_max.unsigned_abs())),
        },
    }
}

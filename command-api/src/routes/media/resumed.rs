//! Routes of uploads that go on after they were interrupted, by tus 1.0: <https://tus.io/protocols/resumable-upload>.

mod headers;

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_domain::Command;
use tidemark_domain::media::media::{
    CompleteUpload, ContinueUpload, EndUpload, Error as Reason, Media as MediaState, OpenUpload,
};
use tidemark_events::media::media::EndReason;
use tidemark_events::{MediaId, SessionId, UserId};
use tidemark_platform::auth::User;
use tidemark_platform::http::tus::{SpeaksTus, UPLOAD_LENGTH, UPLOAD_METADATA};
use tidemark_platform::http::{Json, Path, Problem, etag};
use tidemark_platform::ids::new_id;
use tidemark_platform::openapi::responses;
use tracing::Instrument;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use self::headers::{Expires, Progressed, Stated, metadata, sent, stated};
use super::uploads::{Arrived, PictureFile, clean_up, lose, owner, store};
use crate::app::{AcceptedBody, App, Location, answer_without_body, created};
use crate::caller::{Caller, NoIdempotencyKey};
use crate::error::Error;
use crate::media;
use crate::media::Upload;

/// Where an upload goes on.
const LOCATION: Location = Location("/v1/uploads/{id}");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(open))
        .routes(routes!(show, send, abort))
}

/// Every way in which the opening of an upload is refused.
struct NotOpened;

impl IntoResponses for NotOpened {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = OpenUpload::refusals().into_iter();
        let own = [
            media::not_kept(),
            media::too_large(10_485_760),
            media::unsupported_type(),
            media::invalid_header("Upload-Length must be a number of bytes, at least 1."),
            SpeaksTus::version_not_supported(),
        ];
        responses(refusals.map(|it| Error::from(it).into()).chain(own))
    }
}

/// Open an upload that can be interrupted
///
/// It is sent piece by piece to its `Location`, by tus 1.0. `Upload-Metadata` says what the file is for. What is not complete within
/// `media.upload_s` seconds (a day) is removed. The file becomes the media with the id of the upload.
///
/// An `Idempotency-Key` stands for `Upload-Length` and `Upload-Metadata`. Which file is sent then is no part of that: a client that
/// goes on with an upload can have its bytes checked by `Upload-Checksum`.
#[utoipa::path(
    post,
    path = "/v1/uploads",
    operation_id = "open_upload",
    tags = ["media", "tus"],
    security(("user" = [])),
    responses((status = 201, body = AcceptedBody), NotOpened)
)]
async fn open(
    State(app): State<App>,
    mut caller: Caller,
    _: SpeaksTus,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if app.media.is_none() {
        return Err(media::not_kept());
    }
    let settings = &app.config.media;
    let Stated {
        purpose,
        picture_type,
        bytes,
    } = stated(&headers)?;
    let bytes_max = media::bytes_max(settings, purpose);
    if bytes > bytes_max {
        return Err(media::too_large(bytes_max.unsigned_abs()));
    }
    let id = new_id();
    let command = OpenUpload {
        media_id: MediaId(id),
        purpose,
        picture_type,
        bytes,
        quota: media::quota(settings),
        periods: media::periods(settings),
    };
    let sent = [UPLOAD_LENGTH, UPLOAD_METADATA].map(|name| headers.get(name));
    caller.describe_body(format!("{sent:?}"));
    let submission = app.submission(&caller, StatusCode::CREATED, id, command)?;
    let opened = app.executor.execute(submission).await?;
    let loaded = app.executor.load_stream(opened.stream_id).await;
    let expires = loaded.ok().and_then(|it| Expires::of(it.state()));
    Ok((expires, created(&opened, LOCATION)).into_response())
}

/// How far an upload has come.
#[derive(Debug, Serialize, ToSchema)]
struct UploadProgress {
    /// The id of the upload, and of the media once it is complete.
    id: Uuid,
    /// How many bytes have arrived, which is where the upload goes on.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_000_000i64, example = 65_536)]
    offset: u64,
    /// How many bytes the file has. The upload is complete, and the file stored, if they have all arrived.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_000i64, example = 150_000)]
    length: u64,
}

/// How an upload is refused that nobody sees.
struct NotShown;

impl IntoResponses for NotShown {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = ContinueUpload::refusals();
        let refusals = refusals.into_iter().map(|it| Error::from(it).into());
        let own = [
            media::not_kept(),
            media::unavailable(),
            SpeaksTus::version_not_supported(),
        ];
        let of_load = [Error::StorageUnavailable, Error::NewerBuild].map(Problem::from);
        responses(refusals.chain(own).chain(of_load))
    }
}

/// Get how far an upload of mine has come
///
/// HEAD answers the same in headers alone.
#[utoipa::path(
    get,
    path = "/v1/uploads/{id}",
    operation_id = "get_upload",
    tags = ["media", "tus"],
    params(("id" = Uuid, Path, description = "The upload")),
    security(("user" = [])),
    responses((status = 200, body = UploadProgress), NotShown)
)]
async fn show(
    State(app): State<App>,
    user: User,
    Path(id): Path<Uuid>,
    _: SpeaksTus,
) -> Result<Response, Problem> {
    let media = app.media.as_ref().ok_or_else(media::not_kept)?;
    let session = SessionId(user.session_id);
    app.executor.check_session(UserId(user.id), session).await?;
    let refused = |reason: Reason| Problem::from(Error::Refused(reason.into()));
    let loaded = app.executor.load_stream(id).await?;
    let (owner_id, purpose, length, uploading) = match loaded.state::<MediaState>() {
        MediaState::Uploading(it) => (it.owner_id, it.purpose, it.bytes, Some(it)),
        MediaState::Stored(it) => (it.owner_id, it.purpose, it.uploaded_bytes, None),
        MediaState::Over { owner_id } if owner_id.0 == user.id => {
            return Err(refused(Reason::UploadOver));
        }
        MediaState::None | MediaState::Over { .. } | MediaState::Removed => {
            return Err(refused(Reason::NotFound));
        }
    };
    if owner_id.0 != user.id {
        return Err(refused(Reason::NotFound));
    }
    let length = length.unsigned_abs();
    let mut progressed = Progressed {
        offset: length,
        length,
        expires_at: None,
    };
    if let Some(upload) = uploading {
        if app.clock.now() >= *upload.expires_at {
            return Err(refused(Reason::UploadOver));
        }
        progressed.offset = media
            .progress(MediaId(id), length, upload.purpose)
            .await?
            .offset;
        progressed.expires_at = Some(*upload.expires_at);
    }
    let offset = progressed.offset;
    let body = UploadProgress { id, offset, length };
    let metadata = metadata(purpose, uploading.and_then(|it| it.picture_type));
    Ok(([etag(offset)], [metadata], progressed, Json(body)).into_response())
}

/// Every way in which bytes of an upload are refused.
struct NotReceived;

impl IntoResponses for NotReceived {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = [ContinueUpload::refusals(), CompleteUpload::refusals()].concat();
        let refusals = refusals.into_iter().map(|it| Error::from(it).into());
        let own = media::problems().into_iter();
        let own = own.chain(media::problems_of_resumed());
        let no_key = [NoIdempotencyKey::key_sent(), Error::SubjectErased.into()];
        responses(refusals.chain(own).chain(no_key))
    }
}

/// Send the next bytes of an upload of mine
///
/// What arrives is kept, also if the connection breaks, and `Upload-Offset` of HEAD says how much it was. With the last bytes the file
/// is looked at, as at `POST /v1/media`, and stored before the answer. Bytes with an `Upload-Checksum` are kept as a whole or not
/// at all, and are `media.part_bytes` at most.
#[utoipa::path(
    patch,
    path = "/v1/uploads/{id}",
    operation_id = "send_upload",
    tags = ["media", "tus"],
    params(("id" = Uuid, Path, description = "The upload")),
    request_body(content = PictureFile, content_type = "application/offset+octet-stream"),
    security(("user" = [])),
    responses((status = 204, description = "The bytes were kept."), NotReceived)
)]
async fn send(
    State(app): State<App>,
    _: NoIdempotencyKey,
    caller: Caller,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    tus: Result<SpeaksTus, Problem>,
    body: Body,
) -> Result<Response, Problem> {
    let media_id = MediaId(id);
    // Whoever may not go on with the upload is told so first.
    let submission = app.submission(
        &caller,
        StatusCode::NO_CONTENT,
        id,
        ContinueUpload { media_id },
    )?;
    let accepted = app.executor.execute(submission).await?;
    let media = app.media.clone().ok_or_else(media::not_kept)?;
    tus?;
    let sent = sent(&headers)?;
    let loaded = app.executor.load_stream(id).await?;
    let MediaState::Uploading(upload) = loaded.state::<MediaState>() else {
        return Err(Error::Refused(Reason::UploadOver.into()).into());
    };
    let length = upload.bytes.unsigned_abs();
    let owner = owner(&app, &caller, upload.purpose).await?;
    let receiving = media.receiving(caller.share())?;
    let progress = media.progress(media_id, length, upload.purpose).await?;
    if progress.is_lost() {
        return Err(lose(&app, &media, &caller, media_id).await);
    }
    if !progress.goes_on_at(sent.offset) || sent.offset > length {
        return Err(media::wrong_offset(progress.offset));
    }
    if sent.bytes.is_some_and(|bytes| bytes > length - sent.offset) {
        return Err(media::too_large(length - sent.offset));
    }
    let file = Arrived {
        upload: Upload {
            id: media_id,
            owner,
        },
        bytes: length,
        picture_type: upload.picture_type,
    };
    // It goes on by itself if the client is gone, so that nothing is lost that has arrived.
    let going_on = async move {
        let from = (sent.offset, length);
        let kept = receiving.resume(file.upload.clone(), progress, from, body, sent.checksum);
        match kept.await {
            Ok(offset) if offset == length => {
                let stored = store(&app, &media, &caller, file).await;
                if stored.is_err() {
                    clean_up(&app, &media, media_id).await;
                }
                Ok((offset, Some(stored?)))
            }
            kept => {
                clean_up(&app, &media, media_id).await;
                kept.map(|offset| (offset, None))
            }
        }
    };
    let kept = tokio::spawn(going_on.in_current_span()).await;
    let (offset, stored) = kept.map_err(Problem::internal)??;
    let progressed = Progressed {
        offset,
        length,
        expires_at: stored.is_none().then_some(*upload.expires_at),
    };
    let accepted = stored.unwrap_or(accepted);
    Ok((progressed, answer_without_body(&accepted)).into_response())
}

/// Every way in which the end of an upload is refused.
struct NotAborted;

impl IntoResponses for NotAborted {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let refusals = EndUpload::refusals().into_iter();
        let own = [media::not_kept(), SpeaksTus::version_not_supported()];
        responses(refusals.map(|it| Error::from(it).into()).chain(own))
    }
}

/// Give up an upload of mine
///
/// What has arrived is removed, and counts no longer.
#[utoipa::path(
    delete,
    path = "/v1/uploads/{id}",
    operation_id = "abort_upload",
    tags = ["media", "tus"],
    params(("id" = Uuid, Path, description = "The upload")),
    security(("user" = [])),
    responses((status = 204, description = "The upload is over."), NotAborted)
)]
async fn abort(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
    _: SpeaksTus,
) -> Result<Response, Problem> {
    let media = app.media.clone().ok_or_else(media::not_kept)?;
    let command = EndUpload {
        media_id: MediaId(id),
        reason: EndReason::Aborted,
    };
    let submission = app.submission(&caller, StatusCode::NO_CONTENT, id, command)?;
    let accepted = app.executor.execute(submission).await?;
    clean_up(&app, &media, MediaId(id)).await;
    Ok(answer_without_body(&accepted))
}

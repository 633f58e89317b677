//! The bytes of pictures, which everybody may see who knows the id. Those of an avatar are seen while its user shows it, and are gone
//! with the keys of the user.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::stream::BoxStream;
use garde::Validate;
use serde::Deserialize;
use tidemark_event_store::MediaLink;
use tidemark_events::MediaId;
use tidemark_events::media::media::{PictureType, StoredVariant, Variant};
use tidemark_platform::http::{Path, Problem, Query};
use tidemark_platform::media_store::{Error as StoreError, MediaStore};
use tidemark_platform::openapi::responses;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::tidemark::Tidemark;
use utoipa::openapi::RefOr;
use utoipa::{IntoParams, IntoResponses, ToSchema, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::checked;
use super::checked::Expected;
use super::own_media::find;
use super::range::Asked;
use super::sealed;
use crate::app::App;
use crate::error::{Error, media_unavailable};

/// Nothing in a picture is run, should a browser take it for a document.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");
/// Pages of other origins may show pictures.
const CROSS_ORIGIN: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-resource-policy"),
    HeaderValue::from_static("cross-origin"),
);

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// What a link of the owner says.
#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LinkParameters {
    /// Until when the link is good, in seconds since 1970.
    #[param(minimum = 0, maximum = 253_402_300_799i64, example = 1_801_396_800)]
    expires: Option<i64>,
    /// What proves that the owner has made the link.
    #[param(max_length = 22, example = "3q2-7wAAAAAAAAAAAAAAAA")]
    signature: Option<String>,
}

impl LinkParameters {
    /// Whether the request comes by a link of the owner.
    fn is_good(&self, app: &App, media_id: MediaId, variant: Variant) -> Result<bool, Problem> {
        let (expires, signature) = match (self.expires, &self.signature) {
            (None, None) => return Ok(false),
            (Some(expires), Some(signature)) => (expires, signature),
            (Some(_), None) | (None, Some(_)) => return Err(link_over()),
        };
        let link = MediaLink {
            media_id,
            variant,
            expires,
        };
        let now = app.clock.now().timestamp();
        if link.is_good(signature, &app.lookup_key, now) {
            Ok(true)
        } else {
            Err(link_over())
        }
    }
}

/// The problem with a link that is no longer good, or was never made.
fn link_over() -> Problem {
    let detail = "The link is not good any more, or was not made for this picture.";
    Problem::forbidden("link_not_good", detail).explained(
        "The link to media is too old, or is not as it was made.",
        "Ask their owner for another link, or leave `expires` and `signature` out.",
    )
}

/// The bytes of a picture.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary, example = "the bytes of the file")]
#[expect(dead_code, reason = "only its description is used")]
struct PictureBytes(Vec<u8>);

/// How a picture is refused beside what every document is refused for.
struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let crowded = Error::TooManyDownloads.into();
        responses([beyond(118_000), link_over(), media_unavailable(), crowded])
    }
}

/// Get the bytes of a picture
///
/// Everybody may; an avatar is seen while its user shows it, or by a link of the user. `Range` may ask for one range of the bytes, with `If-Range` for one of the same picture only.
#[utoipa::path(
    get,
    path = "/v1/media/{id}/{variant}",
    operation_id = "get_picture",
    tag = "media",
    params(
        ("id" = Uuid, Path, description = "The media"),
        ("variant" = Variant, Path, description = "The size"),
        LinkParameters
    ),
    responses(
        (status = 200, content((PictureBytes = "image/jpeg"), (PictureBytes = "image/png"))),
        (status = 206, content((PictureBytes = "image/jpeg"), (PictureBytes = "image/png"))),
        Refused
    )
)]
async fn get(
    State(app): State<App>,
    client: ClientAddress,
    Tidemark(token): Tidemark,
    Path((id, variant)): Path<(Uuid, Variant)>,
    Query(link): Query<LinkParameters>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let is_linked = link.is_good(&app, MediaId(id), variant)?;
    let (document, row) = find(&app, token, id).await?;
    let picture = row.variant(variant).ok_or(Error::NotFound)?;
    let is_personal = row.purpose.is_personal();
    // Nobody sees it before its owner has others see it, nor afterwards, but by a link of the owner.
    if is_personal && row.shown_by.is_none() && !is_linked {
        return Err(Error::NotFound);
    }
    let store = app.media.as_ref().ok_or_else(media_unavailable)?;
    let download = app.downloads.begin(client.0)?;
    let bytes = picture.bytes.unsigned_abs();
    let tag = HeaderValue::try_from(format!("\"{}\"", picture.sha256.as_str()));
    let tag = tag.map_err(Problem::internal)?;
    let (status, range) = match Asked::of(&method, &headers, &tag, bytes) {
        Asked::All => (StatusCode::OK, 0..bytes),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Beyond => return Err(beyond(bytes).into()),
    };
    let mut response = (status, document.token, SANDBOXED, [CROSS_ORIGIN]).into_response();
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CONTENT_LENGTH, (range.end - range.start).into());
    headers.insert(CONTENT_TYPE, media_type(picture.picture_type));
    let cached = match (is_linked, is_personal) {
        // It would be kept for longer than the link is good.
        (true, _) => "no-store".to_owned(),
        (false, true) => format!("private, max-age={}", app.media_cached_s),
        (false, false) => format!("public, max-age={}", app.media_cached_s),
    };
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::try_from(cached).map_err(Problem::internal)?,
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (range.start, range.end - 1);
        let range = format!("bytes {first}-{last}/{bytes}");
        headers.insert(
            CONTENT_RANGE,
            HeaderValue::try_from(range).map_err(Problem::internal)?,
        );
    }
    let sent = if is_personal {
        let key = app.subject_keys.key_of(row.owner_id).await?;
        let key = key.ok_or(Error::NotFound)?;
        sealed::read(store, &key, row.id, picture, range).await?
    } else {
        let kept = read(store, id, picture, bytes).await?;
        let file = Expected {
            sha256: picture.sha256.to_string(),
            bytes,
        };
        checked::range(kept, file, range, Arc::clone(&app.media_turns), client.0)
    };
    *response.body_mut() = download.of(sent);
    Ok(response)
}

/// The headers of every picture.
const SANDBOXED: [(HeaderName, HeaderValue); 3] = [
    (CONTENT_SECURITY_POLICY, SANDBOX),
    (CONTENT_DISPOSITION, HeaderValue::from_static("inline")),
    (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
];

const fn media_type(picture_type: PictureType) -> HeaderValue {
    HeaderValue::from_static(picture_type.media_type())
}

/// All bytes of a public picture.
async fn read(
    store: &MediaStore,
    id: Uuid,
    picture: &StoredVariant,
    bytes: u64,
) -> Result<BoxStream<'static, Result<Bytes, StoreError>>, Error> {
    let kept = store.read(id, &picture.sha256, 0..bytes).await;
    kept.map_err(|error| {
        error.report();
        media_unavailable().into()
    })
}

fn beyond(bytes: u64) -> Problem {
    let detail = format!("The picture has {bytes} bytes.");
    let range = HeaderValue::try_from(format!("bytes */{bytes}"));
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "range_not_satisfiable",
        detail,
    )
    .explained(
        "The range begins after the end of what is there.",
        "Ask for a range within the bytes that `Content-Range` names.",
    );
    match range {
        Ok(range) => problem.header(CONTENT_RANGE, range),
        Err(_) => problem,
    }
}

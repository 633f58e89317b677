//! Tags of documents, which change whenever their bytes do.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::ETAG;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::{Problem, etag};

/// How much of the hash a tag has, in bytes: enough that no two documents have the same.
const TAG_BYTES: usize = 16;

/// The response header with the tag of a document about something at a version. Commands know it by the version
/// ([`IfMatch`](super::IfMatch)). What the document shows may change while that stays: a name is erased, or its rows are built
/// anew by another fold. So the tag holds a hash of its bytes as well, and nobody keeps what is not shown any more.
#[must_use]
pub fn document_tag(version: u64, document: &[u8]) -> (HeaderName, HeaderValue) {
    let tag = HeaderValue::try_from(format!("\"{version}.{}\"", hash(document)));
    tag.map_or_else(|_| etag(version), |tag| (ETAG, tag))
}

/// A layer for routes that answer documents without a version: gives each an `ETag` made of its bytes, so that all processes give the
/// same document the same. The document is read as a whole, so it should be small or be kept.
pub async fn tag_content(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let content = match body.collect().await {
        Ok(content) => content.to_bytes(),
        Err(error) => return Problem::internal(error).into_response(),
    };
    if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", hash(&content))) {
        parts.headers.insert(ETAG, tag);
    }
    Response::from_parts(parts, Body::from(content))
}

fn hash(document: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(document)[..TAG_BYTES])
}

//! Tags of documents that have no version.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::ETAG;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use super::Problem;

/// How much of the hash a tag has, in bytes: enough that no two documents have the same.
const TAG_BYTES: usize = 16;

/// A layer for routes that answer such documents: gives each an `ETag` made of its bytes, so that all processes give the
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
    let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&content)[..TAG_BYTES]);
    if let Ok(tag) = HeaderValue::try_from(format!("\"{hash}\"")) {
        parts.headers.insert(ETAG, tag);
    }
    Response::from_parts(parts, Body::from(content))
}

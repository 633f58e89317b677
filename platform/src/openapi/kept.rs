//! Keeps each file of the description's page, and of the catalogue of problems, as it is sent, plain and compressed. The
//! files are large and never change, so that to hash and to compress them for each request would only take time of the threads that serve everybody.

use std::collections::HashMap;
use std::io;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::http::Problem;

/// The files that were asked for, by their names, and whether they are compressed.
type Files = Arc<Mutex<HashMap<(String, bool), File>>>;

/// A file as it is sent.
#[derive(Clone, Debug)]
struct File {
    headers: HeaderMap,
    body: Bytes,
}

/// Has the routes, all of which answer files, make each once, and send it compressed to whoever accepts that.
pub(super) fn kept(routes: Router) -> Router {
    routes.layer(from_fn_with_state(Files::default(), send))
}

async fn send(
    State(files): State<Files>,
    path: MatchedPath,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    // `middleware` leaves the header only where it has chosen to compress.
    let is_compressed = request.headers().contains_key(ACCEPT_ENCODING);
    // What is no text names no file, which the route says in the words of the API.
    let Ok(parameters) = parameters else {
        return next.run(request).await;
    };
    // The parameters are decoded, so that a file has one name however a client writes it.
    let parameters = parameters.iter().map(|(_, value)| value);
    let name: String = [path.as_str()].into_iter().chain(parameters).collect();
    let mut files = files.lock().await;
    let key = (name, is_compressed);
    if let Some(file) = files.get(&key) {
        return file.clone().into_response();
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    match File::of(response, is_compressed).await {
        Ok(file) => {
            files.insert(key, file.clone());
            file.into_response()
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

impl File {
    async fn of(response: Response, is_compressed: bool) -> io::Result<Self> {
        let (parts, body) = response.into_parts();
        let mut headers = parts.headers;
        let plain = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if !is_compressed {
            return Ok(Self {
                headers,
                body: plain,
            });
        }
        let compressed = spawn_blocking(move || compressed(&plain)).await??;
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        Ok(Self {
            headers,
            body: compressed.into(),
        })
    }
}

impl IntoResponse for File {
    fn into_response(self) -> Response {
        (self.headers, Body::from(self.body)).into_response()
    }
}

fn compressed(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain)?;
    encoder.finish()
}

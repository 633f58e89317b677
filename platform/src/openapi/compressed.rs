//! Compresses each file of the description's page once. The files are large and never change, so that to compress them
//! for each request would only take time of the threads that serve everybody.

use std::collections::HashMap;
use std::io;
use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
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

/// The files that were asked for, compressed, by their names.
type Files = Arc<Mutex<HashMap<String, File>>>;

/// A compressed file as it is sent.
#[derive(Clone, Debug)]
struct File {
    headers: HeaderMap,
    body: Bytes,
}

/// Has the routes, all of which answer files, send them compressed to whoever accepts that.
pub(super) fn compressed_once(routes: Router) -> Router {
    routes.layer(from_fn_with_state(Files::default(), send))
}

async fn send(
    State(files): State<Files>,
    path: MatchedPath,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Response {
    // `middleware` leaves the header only where it has chosen to compress.
    if *request.method() != Method::GET || !request.headers().contains_key(ACCEPT_ENCODING) {
        return next.run(request).await;
    }
    // The parameters are decoded, so that a file has one name however a client writes it.
    let parameters = parameters.iter().map(|(_, value)| value);
    let name = [path.as_str()].into_iter().chain(parameters).collect();
    let mut files = files.lock().await;
    if let Some(file) = files.get(&name) {
        return file.clone().into_response();
    }
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    match File::of(response).await {
        Ok(file) => {
            files.insert(name, file.clone());
            file.into_response()
        }
        Err(error) => Problem::internal(error).into_response(),
    }
}

impl File {
    async fn of(response: Response) -> io::Result<Self> {
        let (parts, body) = response.into_parts();
        let plain = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let compressed = spawn_blocking(move || compressed(&plain)).await??;
        let mut headers = parts.headers;
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

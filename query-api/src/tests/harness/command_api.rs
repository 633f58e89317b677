//! A command API that takes readings of history and nothing else.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A command API that takes readings of history and nothing else. It stops when it is dropped.
pub(crate) struct FakeCommandApi {
    /// The URL to send readings to, without the path.
    pub(crate) url: String,
    /// The status of its answers.
    pub(crate) status: Arc<AtomicU16>,
    /// The readings that it was sent.
    pub(crate) readings: Arc<Mutex<Vec<Value>>>,
    _stop: DropGuard,
}

impl FakeCommandApi {
    pub(crate) async fn start() -> Self {
        let status = Arc::new(AtomicU16::new(201));
        let readings = Arc::new(Mutex::new(Vec::new()));
        let (answer, record_in) = (Arc::clone(&status), Arc::clone(&readings));
        let record = post(|axum::Json(body): axum::Json<Value>| async move {
            record_in.lock().unwrap().push(body);
            StatusCode::from_u16(answer.load(Ordering::Relaxed)).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let served = axum::serve(listener, Router::new().route("/v1/readings", record));
        let served = served.with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async { served.await.unwrap() });
        Self {
            url,
            status,
            readings,
            _stop: stop.drop_guard(),
        }
    }
}

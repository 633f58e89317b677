//! A collector of traces: a server that takes spans by OTLP and keeps them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

/// A span as it was received.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// The program that made it.
    pub program: String,
    /// What it is about.
    pub name: String,
    /// Its trace, its own id and that of its parent, in hexadecimal digits.
    pub ids: (String, String, String),
}

/// A collector that runs until it is dropped.
#[derive(Debug)]
pub struct Collector {
    /// The URL for `telemetry.otlp_endpoint`.
    pub url: String,
    received: Arc<Mutex<Vec<ReceivedSpan>>>,
    _server: AbortOnDropHandle<()>,
}

impl Collector {
    /// Starts it at a port of its own.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::new(Mutex::new(Vec::new()));
        let router = Router::new()
            .route("/v1/traces", post(receive))
            .with_state(Arc::clone(&received));
        let serving = async move { axum::serve(listener, router).await.unwrap() };
        Self {
            url,
            received,
            _server: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// The spans of a trace that were received so far.
    #[must_use]
    pub fn of_trace(&self, trace: &str) -> Vec<ReceivedSpan> {
        let received = self.received.lock().unwrap();
        let of_trace = received.iter().filter(|span| span.ids.0 == trace);
        of_trace.cloned().collect()
    }
}

async fn receive(State(received): State<Arc<Mutex<Vec<ReceivedSpan>>>>, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    for of_program in request.resource_spans {
        let resource = of_program.resource.unwrap();
        let mut attributes = resource.attributes.into_iter();
        let name = attributes.find(|it| it.key == "service.name").unwrap();
        let program = format!("{:?}", name.value.unwrap().value.unwrap());
        for span in of_program.scope_spans.into_iter().flat_map(|it| it.spans) {
            received.lock().unwrap().push(ReceivedSpan {
                program: program.clone(),
                name: span.name,
                ids: (
                    hex::encode(&span.trace_id),
                    hex::encode(&span.span_id),
                    hex::encode(&span.parent_span_id),
                ),
            });
        }
    }
}

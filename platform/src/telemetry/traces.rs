//! Traces: the span of each request, and the export of all spans to a collector by OTLP (protobuf over HTTP). A
//! collector that is slow or away delays nothing: spans that wait for it are bounded, and those beyond are dropped.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use metrics::counter;
use opentelemetry::global::{
    BoxedSpan, get_text_map_propagator, set_text_map_propagator, set_tracer_provider, tracer,
};
use opentelemetry::trace::{Span, SpanKind, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Sampler, SdkTracerProvider, Span as SdkSpan, SpanData, SpanExporter as _, SpanProcessor,
};

use crate::config;
use crate::http::Correlation;

/// The most spans of one export.
const BATCH_MAX: usize = 512;
/// How long the first span of an export waits for others.
const BATCH_INTERVAL: Duration = Duration::from_millis(500);

/// Whether requests are traced. It is not set before [`init`].
static IS_ON: OnceLock<()> = OnceLock::new();

/// Has spans recorded and exported, if a collector is configured.
pub(super) fn init(settings: &config::Telemetry) -> Result<(), super::Error> {
    if settings.otlp_endpoint.is_empty() {
        return Ok(());
    }
    let resource = Resource::builder()
        .with_service_name(service_name())
        .build();
    let mut exporter = exporter(settings)?;
    exporter.set_resource(&resource);
    let (queue, ended) = sync_channel(settings.spans_queue_max);
    thread::Builder::new()
        .name("spans".to_owned())
        .spawn(move || export(&exporter, &ended))?;
    let ratio = Sampler::TraceIdRatioBased(settings.traced_ratio);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(ratio)))
        .with_span_processor(Queue(queue))
        .build();
    set_text_map_propagator(TraceContextPropagator::new());
    set_tracer_provider(provider);
    IS_ON.get_or_init(|| ());
    Ok(())
}

fn exporter(settings: &config::Telemetry) -> Result<SpanExporter, ExporterBuildError> {
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", settings.otlp_endpoint))
        .with_timeout(Duration::from_millis(settings.otlp_timeout_ms))
        .build()
}

/// The name of the program.
fn service_name() -> String {
    let program = std::env::current_exe().ok();
    let name = program.as_deref().and_then(std::path::Path::file_stem);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// Where spans wait to be exported.
#[derive(Debug)]
struct Queue(SyncSender<SpanData>);

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.0.try_send(span).is_err() {
            count("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Exports spans until the process ends.
fn export(exporter: &SpanExporter, ended: &Receiver<SpanData>) {
    while let Ok(first) = ended.recv() {
        let until = Instant::now() + BATCH_INTERVAL;
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX {
            match ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(span) => batch.push(span),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let spans = batch.len() as u64;
        match block_on(exporter.export(batch)) {
            Ok(()) => count("exported", spans),
            Err(error) => {
                count("dropped", spans);
                tracing::warn!(%error, spans, "the collector takes no spans");
            }
        }
    }
}

fn count(outcome: &'static str, spans: u64) {
    counter!("tidemark_spans_total", "outcome" => outcome).increment(spans);
}

/// The span of a request. It is empty if requests are not traced.
pub(crate) struct RequestSpan(Option<BoxedSpan>);

impl RequestSpan {
    /// Begins the span of a request, below the span that its `traceparent` names. If it is recorded, it becomes the
    /// `traceparent` of everything that the request causes.
    pub(crate) fn begin(correlation: &mut Correlation) -> Self {
        if IS_ON.get().is_none() {
            return Self(None);
        }
        let carrier: HashMap<_, _> = correlation
            .traceparent
            .iter()
            .map(|parent| ("traceparent".to_owned(), parent.clone()))
            .collect();
        let parent = get_text_map_propagator(|propagator| propagator.extract(&carrier));
        let tracer = tracer("tidemark");
        let span = tracer.span_builder("request").with_kind(SpanKind::Server);
        let span = span.start_with_context(&tracer, &parent);
        let context = span.span_context();
        if !context.is_sampled() {
            return Self(None);
        }
        correlation.traceparent = Some(format!(
            "00-{}-{}-01",
            context.trace_id(),
            context.span_id()
        ));
        Self(Some(span))
    }

    /// Ends the span.
    pub(crate) fn end(self, correlation: &Correlation, method: &str, path: &str, status: u16) {
        let Some(mut span) = self.0 else {
            return;
        };
        span.update_name(format!("{method} {path}"));
        let id = correlation.correlation_id.to_string();
        span.set_attribute(KeyValue::new("tidemark.correlation_id", id));
        span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status),
        ));
        span.end();
    }
}

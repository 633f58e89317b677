//! Spans of what becomes of a command behind its request. All of them are children of the request's span, which the
//! `traceparent` in the metadata of events names. Nothing is recorded unless the process has set a tracer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use opentelemetry::global::{BoxedSpan, get_text_map_propagator, tracer};
use opentelemetry::time::now;
use opentelemetry::trace::Tracer;
use tidemark_events::Recorded;

pub use opentelemetry::KeyValue;
pub use opentelemetry::trace::{Span, SpanKind};

/// The `traceparent` of the request that caused an event, if it had one. Metadata without one is not decoded.
#[must_use]
pub fn traceparent(event: &Recorded) -> Option<String> {
    if event.metadata.contains("\"traceparent\"") {
        event.metadata().ok()?.traceparent
    } else {
        None
    }
}

/// A span that began so long ago.
pub fn span(
    kind: SpanKind,
    name: impl Into<Cow<'static, str>>,
    traceparent: &str,
    ago: Duration,
) -> BoxedSpan {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    let parent = get_text_map_propagator(|propagator| propagator.extract(&carrier));
    let tracer = tracer("tidemark");
    let span = tracer.span_builder(name).with_kind(kind);
    span.with_start_time(now() - ago)
        .start_with_context(&tracer, &parent)
}

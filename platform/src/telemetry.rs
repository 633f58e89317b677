//! Sets up the log on standard output, the metrics for Prometheus and traces, once per process. The log lines and
//! metrics of requests are made by `middleware`.

mod series;
mod traces;

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tracing_subscriber::EnvFilter;

use crate::config;
use crate::config::LogFormat;

pub use self::series::Series;
pub(crate) use self::traces::RequestSpan;

/// How often the recorder drains the samples of histograms. Otherwise they would pile up until a scrape.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Every metric, with its kind and what it means.
const METRICS: &str = include_str!("telemetry/metrics.txt");
/// Upper bounds of the buckets of histograms that measure seconds: from an answer out of a cache to the longest
/// time that a handler may take.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// Upper bounds of the buckets of histograms that count things.
const COUNTS: [f64; 12] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0,
];

/// Counters that an alert watches. They are 0 from the start, because no rise is seen of one that is not there yet.
const WATCHED: [&str; 9] = [
    "tidemark_mails_refused_by_policy_total",
    "tidemark_texts_refused_by_policy_total",
    "tidemark_executor_unknown_outcomes_total",
    "tidemark_executor_early_batches_total",
    "tidemark_executor_late_batches_total",
    "tidemark_relay_foreign_records_total",
    "tidemark_feed_broken_total",
    "tidemark_feed_foreign_total",
    "tidemark_ring_discarded_total",
];

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
static INITIALISING: Mutex<()> = Mutex::new(());

/// Why telemetry cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `telemetry.log` is not a log filter.
    #[error("TIDEMARK_TELEMETRY__LOG is not a log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The recorder of metrics cannot be installed.
    #[error("metrics cannot be recorded: {0}")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
    /// `telemetry.otlp_endpoint` is not a URL.
    #[error("TIDEMARK_TELEMETRY__OTLP_ENDPOINT cannot be used: {0}")]
    Collector(#[from] opentelemetry_otlp::ExporterBuildError),
    /// A thread that drains histograms or exports spans cannot be started.
    #[error("a thread of telemetry cannot be started: {0}")]
    Upkeep(#[from] std::io::Error),
}

/// Sets up log and metrics. A second call in the same process changes nothing, since tests run several of
/// our processes in one.
///
/// # Errors
/// If the filter is malformed, or the recorder cannot be installed.
pub fn init(telemetry: &config::Telemetry) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&telemetry.log)?;
    let _guard = INITIALISING.lock().unwrap_or_else(PoisonError::into_inner);
    if RECORDER.get().is_some() {
        return Ok(());
    }
    #[cfg(feature = "failpoints")]
    crate::failpoints::arm();
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    // This fails only where a test has installed its own subscriber.
    let _ = match telemetry.log_format {
        LogFormat::Json => logs
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init(),
        LogFormat::Text => logs.try_init(),
    };
    let handle = PrometheusBuilder::new()
        .set_buckets(&COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    describe_metrics();
    traces::init(telemetry)?;
    for name in WATCHED {
        counter!(name).absolute(0);
    }
    gauge!("tidemark_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let handle = RECORDER.get_or_init(|| handle).clone();
    // This is a thread, not a task, since tests end the runtime of the process that started it.
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_INTERVAL);
                handle.run_upkeep();
            }
        })?;
    Ok(())
}

/// Has `/metrics` say what each metric means.
fn describe_metrics() {
    Collector::default().describe();
    for line in METRICS.lines() {
        let described = line
            .split_once(' ')
            .and_then(|(kind, rest)| Some((kind, rest.trim_start().split_once(' ')?)));
        match described {
            Some(("counter", (name, meaning))) => describe_counter!(name, meaning.trim_start()),
            Some(("gauge", (name, meaning))) => describe_gauge!(name, meaning.trim_start()),
            Some(("histogram", (name, meaning))) => describe_histogram!(name, meaning.trim_start()),
            _ => {}
        }
    }
}

/// All metrics in the text format of Prometheus, those of the operating system about this process included, and without
/// the [`Series`] of what is gone. It is empty before `init`.
pub(crate) fn render() -> String {
    let Some(recorder) = RECORDER.get() else {
        return String::new();
    };
    Collector::default().collect();
    series::without_gone(&recorder.render())
}

//! Logs to standard output and measurements for Prometheus, once per process. Spans and lines of
//! requests are made by `http`.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config;
use crate::config::LogFormat;

/// Histograms keep their samples until they are drained, by a scrape or by this.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// In seconds: from what a cache answers to what a handler may take.
const BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `telemetry.log` is not a filter.
    #[error("TIDEMARK_TELEMETRY__LOG is not a log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The recorder refuses to be installed.
    #[error("metrics cannot be recorded: {0}")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
    /// The upkeep cannot be started.
    #[error("no thread for metrics: {0}")]
    Upkeep(#[from] std::io::Error),
}

/// Starts both. Where it has been done in this process before, nothing changes: tests run several
/// of our processes in one.
///
/// # Errors
/// If the filter is malformed, or the recorder cannot be installed.
pub fn init(telemetry: &config::Telemetry) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&telemetry.log)?;
    let _one_at_a_time = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if METRICS.get().is_some() {
        return Ok(());
    }
    #[cfg(feature = "failpoints")]
    crate::failpoints::arm();
    let logs = tracing_subscriber::fmt().with_env_filter(filter);
    // Fails only where a test has installed its own.
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
        .set_buckets(&BUCKETS)?
        .install_recorder()?;
    let kept = METRICS.get_or_init(|| handle).clone();
    // A thread, since tests end the runtime that the first process ran on.
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP_INTERVAL);
                kept.run_upkeep();
            }
        })?;
    Ok(())
}

/// All measurements in the text format of Prometheus; nothing before `init`.
pub(crate) fn render() -> String {
    METRICS
        .get()
        .map(PrometheusHandle::render)
        .unwrap_or_default()
}

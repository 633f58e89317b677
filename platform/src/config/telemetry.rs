//! Section `[telemetry]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::positive;

/// The log and the traces of a process.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub log: String,
    pub log_format: LogFormat,
    pub otlp_endpoint: String,
    #[garde(range(min = 0.0, max = 1.0))]
    pub traced_ratio: f64,
    #[garde(custom(positive))]
    pub otlp_timeout_ms: u64,
    #[garde(custom(positive))]
    pub spans_queue_max: usize,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Json,
    Text,
}

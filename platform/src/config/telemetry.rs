//! Section `[telemetry]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use serde::Deserialize;

/// The log of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub log: String,
    pub log_format: LogFormat,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Json,
    Text,
}

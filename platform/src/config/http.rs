//! Settings of the HTTP servers and of what they tell about themselves.

use std::net::SocketAddr;

use serde::Deserialize;

/// Where one process listens, and where others reach it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Where other processes reach it, without a trailing slash.
    pub url: String,
}

/// Limits of every HTTP server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Size of a request's body at most.
    pub body_bytes_max: usize,
    /// The same for registration, log in and refresh.
    pub auth_body_bytes_max: usize,
    /// From the first byte of a request to the end of its headers.
    pub header_read_timeout_ms: u64,
    /// How long a body may take to arrive.
    pub body_timeout_ms: u64,
    /// How long a handler may take to answer.
    pub handler_timeout_ms: u64,
    /// How long a connection may be idle between requests.
    pub keep_alive_ms: u64,
    /// How long requests in flight may go on after a stop signal.
    pub drain_ms: u64,
    /// Length of path and query at most.
    pub url_bytes_max: usize,
    /// Size of all headers at most.
    pub header_bytes_max: usize,
    /// Number of headers at most.
    pub headers_max: usize,
    /// Depth of nesting in a JSON body at most.
    pub json_depth_max: usize,
    /// Connections open at once; more wait to be accepted.
    pub connections_max: usize,
    /// Streams open at once on one HTTP/2 connection.
    pub http2_streams_max: u32,
    /// Requests handled at once; one more is answered 503.
    pub in_flight_max: usize,
    /// What `Retry-After` says then.
    pub retry_after_s: u64,
    /// How long one check of `/readyz` may take.
    pub readiness_timeout_ms: u64,
    /// Origins whose pages may call the API.
    #[serde(deserialize_with = "super::list")]
    pub cors_origins: Vec<String>,
}

/// What a process tells about itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged: `info`, or per module as in `info,tidemark_event_store=debug`.
    pub log: String,
    /// For machines or for people.
    pub log_format: LogFormat,
}

/// For whom logs are written.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Plain text.
    Text,
}

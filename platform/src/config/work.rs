//! Settings of deciding, folding and reading.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use serde::Deserialize;

/// The loop that decides and appends.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Executor {
    /// Commands that wait at most; one more is answered 503 at once.
    pub queue_max: usize,
    /// Commands of one principal that wait at most.
    pub queue_per_principal_max: usize,
    /// Commands decided and appended in one call at most.
    pub batch_max: usize,
    /// Size of one event's data at most.
    pub event_bytes_max: usize,
    /// Events of one command at most.
    pub events_per_command_max: usize,
    /// How long a command is decided again after conflicts before it is given up.
    pub command_deadline_ms: u64,
    /// How old a decision may be when the log takes it.
    pub decision_age_max_ms: u64,
    /// How long the answer to an append is awaited before its outcome counts as unknown.
    pub append_timeout_ms: u64,
    /// Loads under way at once at most.
    pub loads_max: usize,
    /// After so many events the state of a stream is kept.
    pub snapshot_every: i64,
    /// Memory for the states of streams.
    pub state_cache_bytes: u64,
    /// How long a client's `Idempotency-Key` is remembered.
    pub idempotency_ttl_h: u64,
}

/// The workers that keep read models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Projection {
    /// What read models follow.
    pub feed: FeedChoice,
    /// Events read at once at most.
    pub batch_max: usize,
    /// No more events are folded before so many rows are written.
    pub batch_rows_max: usize,
    /// Nor any, before those of so long are written.
    pub batch_ms: u64,
    /// Events kept for the workers of this process; a worker further behind reads the log.
    pub ring_events_max: usize,
    /// Memory for their data at most.
    pub ring_bytes_max: usize,
    /// Rows of a read model kept in memory by its worker at most.
    pub cache_rows_max: usize,
    /// Connections kept for leases, the feed and due actions, which must not wait for read models.
    pub prompt_connections: u32,
    /// How long a worker holds its read model without renewing its lease.
    pub lease_ms: u64,
    /// How often the log is looked at when nothing new was found.
    pub poll_ms: u64,
    /// How long a worker rests after a failure of the database.
    pub retry_ms: u64,
    /// How long one rests that cannot apply an event, before it tries again.
    pub blocked_retry_ms: u64,
    /// Into how many shards a read model is divided, by its name; one where it is not named.
    pub shards: BTreeMap<String, NonZeroU8>,
}

/// The workers that answer facts with commands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reactor {
    /// Actions sent at once by one process at most.
    pub in_flight_max: usize,
    /// How often due actions are sought at least.
    pub poll_ms: u64,
    /// How long the answer to an action may take.
    pub request_timeout_ms: u64,
    /// How long an action is left to the process that took it.
    pub lease_ms: u64,
    /// Wait before a failed action is sent again; doubles each time.
    pub retry_min_ms: u64,
    /// Longest such wait.
    pub retry_max_ms: u64,
}

/// From which side the log is followed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FeedChoice {
    /// Kafka; the log itself where there is no broker.
    Kafka,
    /// Pages of the table.
    Log,
}

/// Reading.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// How long a query waits for the position that its `Tidemark` asks for.
    pub wait_ms: u64,
    /// How often a waiting query looks again.
    pub watch_ms: u64,
    /// How often the checkpoints are looked at while no query waits.
    pub watch_idle_ms: u64,
    /// How long the command API may take to record a reading of history.
    pub record_timeout_ms: u64,
    /// How long a hot document is answered from memory.
    pub hot_cache_ms: u64,
    /// Hot documents kept in memory at most.
    pub hot_cache_documents_max: u64,
    /// Items on a page at most.
    pub page_max: i64,
    /// Items on a page unless asked otherwise.
    pub page_default: i64,
    /// Live updates open at once.
    pub sse_clients_max: usize,
    /// How often a quiet live update sends a comment.
    pub sse_keep_alive_s: u64,
    /// How often a live update looks again without a notification.
    pub sse_refresh_s: u64,
}

//! Section `[reactor]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most, longer_than, positive};

/// The reactors, which answer events with commands, and the sending of their actions.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Reactor {
    #[garde(custom(positive))]
    pub connections: u32,
    #[garde(custom(positive))]
    pub in_flight_max: usize,
    #[garde(custom(positive), custom(at_most("reactor.poll_max_ms", self.poll_max_ms)))]
    pub poll_ms: u64,
    pub poll_max_ms: u64,
    #[garde(range(max = 1_000))]
    pub take_interval_ms: u64,
    #[garde(custom(positive))]
    pub request_timeout_ms: u64,
    #[garde(custom(positive), custom(longer_than("reactor.request_timeout_ms", self.request_timeout_ms)))]
    pub lease_ms: u64,
    #[garde(custom(positive), custom(at_most("reactor.retry_max_ms", self.retry_max_ms)))]
    pub retry_min_ms: u64,
    pub retry_max_ms: u64,
    #[garde(custom(positive))]
    pub effects_in_flight_max: usize,
    #[garde(custom(positive))]
    pub effect_timeout_ms: u64,
    #[garde(custom(longer_than("reactor.effect_timeout_ms", self.effect_timeout_ms)))]
    pub effect_lease_ms: u64,
    #[garde(range(min = 500, max = 60_000))]
    pub gone_after_ms: u64,
    #[garde(custom(positive), custom(at_most("reactor.effects_in_flight_max", self.effects_in_flight_max)))]
    pub destination_in_flight_max: usize,
    #[garde(custom(positive))]
    pub owner_in_flight_max: usize,
    #[garde(custom(positive))]
    pub owner_per_destination_in_flight_max: usize,
    #[garde(custom(positive))]
    pub destination_failures_max: u32,
    #[garde(custom(positive), custom(at_most("reactor.destination_pause_max_ms", self.destination_pause_max_ms)))]
    pub destination_pause_min_ms: u64,
    pub destination_pause_max_ms: u64,
}

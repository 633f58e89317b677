//! Section `[market]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

/// The longest extension that can be configured: the longest auction lasts as long.
const EXTENSION_MAX_S: i64 = 30 * 24 * 3_600;
/// What ends later than this does not end soon.
const ENDS_SOON_MAX_S: i64 = 24 * 3_600;

/// Rules of the market that a deployment may choose.
#[derive(Clone, Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
pub struct Market {
    #[garde(range(min = 0, max = EXTENSION_MAX_S))]
    pub extension_max_s: i64,
    #[garde(range(min = 1, max = 10_000))]
    pub watched_max: usize,
    #[garde(range(min = 1, max = ENDS_SOON_MAX_S))]
    pub ends_soon_s: i64,
}

//! What every write tells those who listen: which shards have applied the log up to where. A notification may be lost, so it
//! only says when to look; what is read decides.

use serde::Deserialize;

/// The channel of Postgres on which writes are notified.
pub const CHANNEL: &str = "checkpoints";

/// The longest payload that Postgres takes, in bytes.
const PAYLOAD_BYTES_MAX: usize = 7_999;

/// A shard whose checkpoint has moved.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Advanced {
    /// The name of the read model.
    pub read_model: String,
    /// The number of the generation.
    pub generation: i32,
    /// The number of the shard.
    pub shard: i32,
    /// The checkpoint.
    pub position: i64,
}

/// The text that tells of these shards: of each its read model, generation, number and checkpoint. If they are too many it
/// is empty.
pub(crate) fn payload(advanced: &[(&str, i32, i32, i64)]) -> String {
    let payload = serde_json::to_string(advanced).unwrap_or_default();
    if payload.len() > PAYLOAD_BYTES_MAX {
        String::new()
    } else {
        payload
    }
}

/// The shards of which a notification tells. There are none if it does not say which they are.
#[must_use]
pub fn parse(payload: &str) -> Vec<Advanced> {
    serde_json::from_str(payload).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_notified_is_read_again() {
        let payload = payload(&[("auction", 2, 0, 4_711), ("bid", 1, 3, i64::MAX)]);
        let advanced = |read_model: &str, generation, shard, position| Advanced {
            read_model: read_model.to_owned(),
            generation,
            shard,
            position,
        };
        let expected = [
            advanced("auction", 2, 0, 4_711),
            advanced("bid", 1, 3, i64::MAX),
        ];
        assert_eq!(parse(&payload), expected);
    }

    #[test]
    fn what_is_too_long_for_postgres_tells_no_shards() {
        let all: Vec<_> = (0..255)
            .map(|shard| ("auction", 1, shard, i64::MAX))
            .collect();
        assert_eq!(payload(&all), "");
        assert_eq!(parse(""), []);
        assert_eq!(parse("from somebody else"), []);
    }
}

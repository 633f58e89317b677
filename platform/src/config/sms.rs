//! Section `[sms]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::{base_url_or_none, positive};
use super::list;
use super::list::PAUSES_MAX;

/// The longest time for which a code can be of use.
const CODE_MAX_S: i64 = 3_600;

/// Where texts go, and how many.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Sms {
    #[garde(custom(base_url_or_none))]
    pub provider_url: String,
    pub account: String,
    pub token: SecretString,
    pub sender: String,
    #[garde(custom(base_url_or_none))]
    pub callback_url: String,
    #[serde(deserialize_with = "list::deserialize")]
    #[garde(custom(are_prefixes))]
    pub allowed_prefixes: Vec<String>,
    #[garde(range(min = 1, max = 100))]
    pub per_10_minutes_max: u32,
    #[garde(range(min = 1, max = 1_000))]
    pub per_day_max: u32,
    #[garde(range(min = 1, max = 100))]
    pub codes_per_10_minutes_max: u32,
    #[garde(range(min = 1, max = 1_000))]
    pub codes_per_day_max: u32,
    #[garde(range(min = 1, max = 10))]
    pub segments_max: u32,
    pub segments_per_day_max: u32,
    pub code_segments_per_day_max: u32,
    #[garde(range(min = 60, max = CODE_MAX_S))]
    pub code_s: i64,
    #[garde(range(min = 1, max = 20))]
    pub code_attempts_max: u32,
    #[serde(deserialize_with = "list::deserialize")]
    #[garde(length(min = 1, max = PAUSES_MAX))]
    pub retry_pauses_ms: Vec<u32>,
    #[garde(custom(positive))]
    pub request_timeout_ms: u64,
}

fn are_prefixes<C>(texts: &[String], _context: &C) -> garde::Result {
    let is_prefix = |text: &str| {
        let digits = text.strip_prefix('+');
        digits.is_some_and(|it| it.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match texts.iter().find(|it| !is_prefix(it)) {
        Some(text) => Err(garde::Error::new(format!(
            "must hold how numbers begin, such as +49, and {text} is no such thing"
        ))),
        None => Ok(()),
    }
}

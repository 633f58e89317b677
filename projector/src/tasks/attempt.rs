//! What came of a call, as its answer or the failure says.

use chrono::DateTime;
use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tidemark_events::Timestamp;
use tidemark_events::tasks::task_run::Outcome;

use super::http_client::is_forbidden;

/// The most that is read of an answer.
const READ_BYTES_MAX: usize = 64 * 1_024;
/// The most that is kept of it.
pub(super) const KEPT_BYTES_MAX: usize = 1_024;

/// What came of a call.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    pub(super) status: Option<u16>,
    /// How long the call took, without what Tidemark did before and afterwards.
    pub(super) ms: u32,
    pub(super) answer: Vec<u8>,
    pub(super) retry_after_s: Option<u32>,
}

impl Attempt {
    pub(super) const fn without_answer(outcome: Outcome) -> Self {
        Self {
            outcome,
            status: None,
            ms: 0,
            answer: Vec::new(),
            retry_after_s: None,
        }
    }

    /// Whether the server has answered, and not that it or one behind it has too much to do; none if it was not called.
    pub(super) const fn has_answered(&self) -> Option<bool> {
        match self.outcome {
            Outcome::AddressForbidden | Outcome::OwnerErased | Outcome::TooLate => None,
            Outcome::TimedOut | Outcome::Unreachable => Some(false),
            Outcome::Delivered | Outcome::Refused | Outcome::Gone => {
                Some(!matches!(self.status, Some(429 | 502 | 504)))
            }
        }
    }
}

/// What came of a call that was answered.
pub(super) async fn answered(mut response: Response, now: Timestamp) -> Attempt {
    let status = response.status();
    let retry_after_s = retry_after_s(response.headers(), now);
    let mut answer = Vec::new();
    let mut read = 0;
    while read < READ_BYTES_MAX {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) => {
                read += chunk.len();
                let room = KEPT_BYTES_MAX.saturating_sub(answer.len());
                answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Err(error) => return Attempt::without_answer(failure(&error)),
        }
    }
    let outcome = match status.as_u16() {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone,
        _ => Outcome::Refused,
    };
    Attempt {
        outcome,
        status: Some(status.as_u16()),
        ms: 0,
        answer,
        retry_after_s,
    }
}

/// What it means that there was no answer.
pub(super) fn failure(error: &reqwest::Error) -> Outcome {
    if is_forbidden(error) {
        Outcome::AddressForbidden
    } else if error.is_timeout() {
        Outcome::TimedOut
    } else {
        Outcome::Unreachable
    }
}

/// After how many seconds the server asks to be called again: a number, or a date.
fn retry_after_s(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds = match text.parse::<i64>() {
        Ok(seconds) => seconds,
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.to_utc() - now).num_seconds(),
    };
    u32::try_from(seconds).ok()
}

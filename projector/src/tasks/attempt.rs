//! What came of a call, as its answer or the failure says.

use chrono::{DateTime, Utc};
use httpdate::parse_http_date;
use reqwest::Response;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use tidemark_events::Timestamp;
use tidemark_events::tasks::task_run::Outcome;

use super::http_client::{is_forbidden, is_unreachable};
use crate::reacting::effects::Contact;

/// The most that is read of an answer.
const READ_BYTES_MAX: usize = 64 * 1_024;
/// The most that is kept of it.
pub(super) const KEPT_BYTES_MAX: usize = 1_024;
/// The longest time after which a server may ask to be called again, in seconds.
const RETRY_AFTER_S_MAX: u32 = 24 * 60 * 60;

/// What came of a call.
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// Whether a connection to the server was made.
    pub(super) has_reached: bool,
    pub(super) status: Option<u16>,
    /// How long the call took, without what Tidemark did before and afterwards.
    pub(super) ms: u32,
    pub(super) answer: Vec<u8>,
    pub(super) retry_after_s: Option<u32>,
}

impl Attempt {
    /// An attempt for which nobody was called.
    pub(super) const fn without_answer(outcome: Outcome) -> Self {
        Self {
            outcome,
            has_reached: false,
            status: None,
            ms: 0,
            answer: Vec::new(),
            retry_after_s: None,
        }
    }

    /// A call that got no answer.
    pub(super) fn failed(error: &reqwest::Error) -> Self {
        Self {
            has_reached: !is_unreachable(error),
            ..Self::without_answer(failure(error))
        }
    }

    /// What the call has shown of the server; none if it was not called. A server that says that it, or one behind it, has too
    /// much to do is spared like one that does not answer.
    pub(super) const fn contact(&self) -> Option<Contact> {
        match self.outcome {
            Outcome::AddressForbidden | Outcome::OwnerErased | Outcome::TooLate => None,
            Outcome::TimedOut | Outcome::Unreachable if !self.has_reached => {
                Some(Contact::Unreachable)
            }
            Outcome::TimedOut | Outcome::Unreachable => Some(Contact::Unanswered),
            Outcome::Delivered | Outcome::Refused | Outcome::Gone => {
                if matches!(self.status, Some(429 | 502 | 504)) {
                    Some(Contact::Unanswered)
                } else {
                    Some(Contact::Answered)
                }
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
            Err(error) => return Attempt::failed(&error),
        }
    }
    let outcome = match status.as_u16() {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone,
        _ => Outcome::Refused,
    };
    Attempt {
        outcome,
        has_reached: true,
        status: Some(status.as_u16()),
        ms: 0,
        answer,
        retry_after_s,
    }
}

/// What it means that there was no answer.
fn failure(error: &reqwest::Error) -> Outcome {
    if is_forbidden(error) {
        Outcome::AddressForbidden
    } else if error.is_timeout() {
        Outcome::TimedOut
    } else {
        Outcome::Unreachable
    }
}

/// After how many seconds the server asks to be called again: a number, or a date in any of the forms of RFC 9110, section 5.6.7.
/// What is longer than the longest time counts as that, and a date that has passed as now.
fn retry_after_s(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let seconds = if is_number {
        // One that is no `u64` is too large for it.
        text.parse().unwrap_or(u64::MAX)
    } else {
        let date = DateTime::<Utc>::from(parse_http_date(text).ok()?);
        (date - now).to_std().unwrap_or_default().as_secs()
    };
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    Some(seconds.min(RETRY_AFTER_S_MAX))
}

#[cfg(test)]
mod tests;

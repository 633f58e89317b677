//! What came of a call, as its answer or the failure says.

use chrono::{DateTime, Utc};
use httpdate::parse_http_date;
use hyper::header::HeaderValue;
use tidemark_events::Timestamp;
use tidemark_events::tasks::task_run::Outcome;

use super::http_client::{Answer, Failure};
use crate::reacting::effects::Contact;

/// The longest time after which a server may ask to be called again, in seconds.
const RETRY_AFTER_S_MAX: u32 = 24 * 60 * 60;

/// What came of a call.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) outcome: Outcome,
    /// What the call has shown of the server; none if that is nothing, such as when it was not called.
    pub(super) contact: Option<Contact>,
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
            contact: None,
            status: None,
            ms: 0,
            answer: Vec::new(),
            retry_after_s: None,
        }
    }

    /// What came of a call at that time; none if it is to be made later, since it was nobody's fault that it was not.
    pub(super) fn of(call: Result<Answer, Failure>, now: Timestamp) -> Option<Self> {
        let (outcome, contact) = match call {
            Ok(answer) => return Some(Self::answered(answer, now)),
            Err(Failure::NoPlace) => return None,
            Err(Failure::Forbidden) => (Outcome::AddressForbidden, None),
            Err(Failure::Unreachable) => (Outcome::Unreachable, Some(Contact::Unreachable)),
            Err(Failure::NotConnected) => (Outcome::TimedOut, Some(Contact::Unreachable)),
            // A server that takes longer than that may answer others.
            Err(Failure::CutOff) => (Outcome::TimedOut, None),
            Err(Failure::BrokenOff) => (Outcome::Unreachable, Some(Contact::Unanswered)),
            Err(Failure::Unanswered) => (Outcome::TimedOut, Some(Contact::Unanswered)),
        };
        Some(Self {
            contact,
            ..Self::without_answer(outcome)
        })
    }

    /// What came of a call that was answered. A server that says that it, or one behind it, has too much to do is spared like one that
    /// does not answer.
    fn answered(answer: Answer, now: Timestamp) -> Self {
        let status = answer.status.as_u16();
        let (outcome, contact) = match status {
            200..=299 => (Outcome::Delivered, Contact::Answered),
            410 => (Outcome::Gone, Contact::Answered),
            429 | 502 | 504 => (Outcome::Refused, Contact::Unanswered),
            _ => (Outcome::Refused, Contact::Answered),
        };
        let asked = answer.retry_after.as_ref();
        Self {
            outcome,
            contact: Some(contact),
            status: Some(status),
            ms: 0,
            retry_after_s: asked.and_then(|it| seconds_until(it, now)),
            answer: answer.body,
        }
    }
}

/// After how many seconds the server asks to be called again: a number, or a date in any of the forms of RFC 9110, section 5.6.7.
/// What is longer than the longest time counts as that, and a date that has passed as now.
fn seconds_until(retry_after: &HeaderValue, now: Timestamp) -> Option<u32> {
    let text = retry_after.to_str().ok()?;
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

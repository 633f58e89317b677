//! What an answer of the command API means for an action: it is done, refused for good, not due yet, or
//! the answer decides nothing and the action is sent again.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;

/// What an answer decides about an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The command has acted, now or at an earlier attempt.
    Done,
    /// The command will never act. Holds the status and the code of the problem.
    Refused(String),
    /// The command may act at that time.
    NotYet(DateTime<Utc>),
    /// The answer does not say whether the command acted or ever will. Holds what was answered.
    Inconclusive(String),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    retry_at: Option<DateTime<Utc>>,
}

/// What an answer decides.
///
/// Only a problem as the command API writes it can end an action: the 404 of a proxy, or the refusal of
/// a wrong credential, says nothing about the action.
pub(super) fn verdict(status: StatusCode, body: &[u8]) -> Verdict {
    if status.is_success() {
        return Verdict::Done;
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Verdict::Inconclusive(status.to_string());
    };
    let outcome = format!("{} {}", status.as_u16(), problem.code);
    match (status, problem.retry_at) {
        (StatusCode::CONFLICT, Some(at)) if problem.code == "not_due" => Verdict::NotYet(at),
        _ if refuses_the_action(status) => Verdict::Refused(outcome),
        _ => Verdict::Inconclusive(outcome),
    }
}

/// Whether the status refuses the action itself, rather than its sender or the moment.
fn refuses_the_action(status: StatusCode) -> bool {
    let refuses_the_sender_or_the_moment = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_client_error() && !refuses_the_sender_or_the_moment.contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Verdict {
        verdict(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn success_ends_an_action() {
        assert_eq!(answered(200, "{}"), Verdict::Done);
        assert_eq!(answered(201, ""), Verdict::Done);
    }

    #[test]
    fn a_refusal_ends_an_action_too() {
        let refused = |text: &str| Verdict::Refused(text.to_owned());
        assert_eq!(
            answered(409, r#"{"code":"auction_over"}"#),
            refused("409 auction_over")
        );
        assert_eq!(
            answered(404, r#"{"code":"not_found"}"#),
            refused("404 not_found")
        );
        assert_eq!(
            answered(409, r#"{"code":"not_due"}"#),
            refused("409 not_due")
        );
    }

    #[test]
    fn an_action_that_is_not_due_is_tried_again_at_the_time_it_was_told() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let body = format!(
            r#"{{"code":"not_due","retry_at":"{}","status":409}}"#,
            at.to_rfc3339()
        );
        assert_eq!(answered(409, &body), Verdict::NotYet(at));
    }

    #[test]
    fn an_action_is_tried_again_after_every_other_answer() {
        for status in [401, 403, 408, 425, 429, 500, 503] {
            let verdict = answered(status, r#"{"code":"x"}"#);
            assert_eq!(verdict, Verdict::Inconclusive(format!("{status} x")));
        }
        assert!(
            matches!(answered(404, "<html>"), Verdict::Inconclusive(_)),
            "this 404 is not from the command API"
        );
    }
}

//! What an answer of the command API means for an action: done, no for good, not yet, or nothing.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;

/// What becomes of an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It acted, now or before.
    Done,
    /// It never will.
    Refused(String),
    /// It may at that time.
    NotYet(DateTime<Utc>),
    /// Nobody knows; ask again.
    Unanswered(String),
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    retry_at: Option<DateTime<Utc>>,
}

/// What an answer means.
///
/// Only a refusal in the form of the command API ends an action; a proxy's 404, or our credentials
/// being wrong, says nothing about it.
pub(super) fn verdict(status: StatusCode, body: &[u8]) -> Verdict {
    if status.is_success() {
        return Verdict::Done;
    }
    let Ok(problem) = serde_json::from_slice::<Problem>(body) else {
        return Verdict::Unanswered(status.to_string());
    };
    let outcome = format!("{} {}", status.as_u16(), problem.code);
    match (status, problem.retry_at) {
        (StatusCode::CONFLICT, Some(at)) if problem.code == "not_due" => Verdict::NotYet(at),
        _ if is_about_the_action(status) => Verdict::Refused(outcome),
        _ => Verdict::Unanswered(outcome),
    }
}

fn is_about_the_action(status: StatusCode) -> bool {
    let about_us = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_client_error() && !about_us.contains(&status)
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
    fn a_refusal_ends_it_too() {
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
    fn not_due_is_tried_again_at_its_time() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let body = format!(
            r#"{{"code":"not_due","retry_at":"{}","status":409}}"#,
            at.to_rfc3339()
        );
        assert_eq!(answered(409, &body), Verdict::NotYet(at));
    }

    #[test]
    fn all_else_is_tried_again() {
        for status in [401, 403, 408, 425, 429, 500, 503] {
            let verdict = answered(status, r#"{"code":"x"}"#);
            assert_eq!(verdict, Verdict::Unanswered(format!("{status} x")));
        }
        assert!(
            matches!(answered(404, "<html>"), Verdict::Unanswered(_)),
            "not our 404"
        );
    }
}

//! What an answer of the command API means for an action: it is done, given up, not due yet, or
//! the answer decides nothing and the action is sent again.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use serde::Deserialize;
use tidemark_domain::ProcessManager;

/// What an answer decides about an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The command has acted, now or at an earlier attempt, or what it is for has happened without it.
    Done,
    /// The command will never act. Holds the status and the code of the problem.
    Refused(String),
    /// The command may act at that time.
    NotYet(DateTime<Utc>),
    /// The answer does not say whether the command acted or ever will. Holds what was answered.
    Inconclusive(String),
    /// An effect was not performed, and is to be tried again after this time, for this reason.
    Later(Duration, String),
    /// An effect was not performed, and is to be tried at once at this destination.
    Elsewhere(String),
}

/// What the command API answers: the version of the changed stream, or a problem.
#[derive(Default, Deserialize)]
struct Answer {
    version: Option<i64>,
    code: Option<String>,
    retry_at: Option<DateTime<Utc>>,
}

/// What an answer decides about an action that follows from this process manager.
///
/// An action ends only if the answer is certainly about its command: it was accepted, or refused for one
/// of the reasons that the process manager lists. If only a newer build has it, that build ends the action. Everything else may be said by a proxy, an older build, or another server at
/// the same address, and is different later: a path that is not there, a method that is not allowed, a
/// credential that is not known, even a success in another form.
pub(super) fn verdict(
    status: StatusCode,
    body: &[u8],
    process_manager: Option<&ProcessManager>,
) -> Verdict {
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() && answer.version.is_some() {
        return Verdict::Done;
    }
    let Some(code) = answer.code else {
        return Verdict::Inconclusive(status.to_string());
    };
    let outcome = format!("{} {code}", status.as_u16());
    let lists = |codes: fn(&ProcessManager) -> &'static [&'static str]| {
        process_manager.is_some_and(|it| codes(it).contains(&&*code))
    };
    match answer.retry_at {
        Some(at) if code == "not_due" => Verdict::NotYet(at),
        _ if lists(|it| it.fulfilled) => Verdict::Done,
        _ if lists(|it| it.final_refusals) => Verdict::Refused(outcome),
        _ => Verdict::Inconclusive(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Verdict {
        let status = StatusCode::from_u16(status).unwrap();
        let timer = ProcessManager {
            name: "auction-timer",
            event_types: &[],
            commands: &[],
            fulfilled: &["auction_already_open"],
            final_refusals: &["auction_over"],
            react: |_| Vec::new(),
        };
        verdict(status, body.as_bytes(), Some(&timer))
    }

    #[test]
    fn an_action_whose_work_was_done_is_done() {
        let answer = r#"{"code":"auction_already_open"}"#;
        assert_eq!(answered(409, answer), Verdict::Done);
    }

    #[test]
    fn an_accepted_command_ends_an_action() {
        let accepted = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","version":3}"#;
        assert_eq!(answered(200, accepted), Verdict::Done);
        assert_eq!(answered(201, accepted), Verdict::Done);
    }

    #[test]
    fn a_final_refusal_ends_an_action() {
        assert_eq!(
            answered(409, r#"{"code":"auction_over"}"#),
            Verdict::Refused("409 auction_over".to_owned())
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
    fn an_action_is_tried_again_after_every_other_problem() {
        for (status, code) in [
            (400, "malformed_json"),
            (401, "invalid_token"),
            (403, "insufficient_scope"),
            (404, "not_found"),
            (404, "auction_not_found"),
            (405, "method_not_allowed"),
            (408, "request_timeout"),
            (409, "not_due"),
            (409, "auction_has_bids"),
            (415, "unsupported_media_type"),
            (422, "idempotency_key_reused"),
            (429, "too_many_requests"),
            (500, "internal"),
            (503, "newer_build"),
        ] {
            let verdict = answered(status, &format!(r#"{{"code":"{code}"}}"#));
            assert_eq!(verdict, Verdict::Inconclusive(format!("{status} {code}")));
        }
    }

    #[test]
    fn an_action_is_tried_again_after_an_answer_that_the_command_api_never_gives() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, r#"{"status":"ok"}"#),
            (204, ""),
            (301, ""),
            (404, "<html>"),
            (409, r#"{"error":"auction_over"}"#),
            (502, ""),
        ] {
            let verdict = answered(status, body);
            assert!(matches!(verdict, Verdict::Inconclusive(_)), "{verdict:?}");
        }
    }
}

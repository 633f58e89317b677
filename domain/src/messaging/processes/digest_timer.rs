//! Closes digests on time.

use tidemark_events::Event;
use tidemark_events::messaging::digest;

use crate::process_manager::{Action, ProcessManager, What};

/// Has each digest closed when its window is over.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "digest-timer",
    event_types: &["digest.opened"],
    commands: &["close_digest"],
    fulfilled: &["digest_closed"],
    // The event proves that the digest and its user exist: who answers otherwise has another log.
    final_refusals: &[],
    react,
};

fn react(event: &Event) -> Vec<Action> {
    let Event::Digest(digest::Event::Opened {
        digest_id,
        closes_at,
        ..
    }) = event
    else {
        return Vec::new();
    };
    vec![Action {
        name: "close".to_owned(),
        due_at: Some(**closes_at),
        owner_id: None,
        about: None,
        what: What::command(format!("/v1/digests/{digest_id}/close")),
    }]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{DIGEST, at};

    use super::*;
    use crate::given::sample;

    #[test]
    fn a_digest_is_closed_at_the_end_of_its_window() {
        let close = Action {
            name: "close".to_owned(),
            due_at: Some(at(86_400)),
            owner_id: None,
            about: None,
            what: What::command(format!("/v1/digests/{DIGEST}/close")),
        };
        assert_eq!(react(&sample("digest.opened")), [close]);
    }
}

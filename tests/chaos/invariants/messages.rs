//! What was sent to people, against what the log says that it was.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Outcome;
use tidemark_events::{Event, Metadata, Recorded, Timestamp, UserId};
use uuid::Uuid;

use crate::journal::Entry;

/// The most mails that one process sends at once: `reactor.destination_in_flight_max`. So many are sent again if it dies.
const IN_FLIGHT_MAX: usize = 8;

/// [`super::MAIL_LOST_OR_REPEATED`]: people who registered and were asked no mail for, mails that did not end, that ended
/// as sent and did not arrive, that were asked for twice, or that arrived more often than a crash in each fault explains.
pub(crate) fn lost_or_repeated(
    journal: &[Entry],
    log: &[Recorded],
    received: &BTreeMap<Uuid, usize>,
) -> Vec<String> {
    let faults = journal
        .iter()
        .filter(|entry| matches!(entry, Entry::FaultBegins { .. }))
        .count();
    let mails = Mails::of(log);
    let mut violations = mails.unasked(log);
    for (id, outcome) in &mails.outcomes {
        let arrived = received.get(id).copied().unwrap_or_default();
        match outcome {
            Some(Outcome::Accepted) if arrived == 0 => {
                violations.push(format!("mail {id} was accepted, and did not arrive"));
            }
            Some(Outcome::Accepted | Outcome::Uncertain) => {}
            Some(Outcome::Expired) if mails.outlived.contains(id) => {}
            other => violations.push(format!("mail {id} ended as {other:?}")),
        }
        if arrived > 1 + faults {
            violations.push(format!(
                "mail {id} arrived {arrived} times in {faults} faults"
            ));
        }
    }
    violations.extend(mails.asked_twice);
    let repeated = received.values().filter(|times| **times > 1).count();
    if repeated > faults * IN_FLIGHT_MAX {
        violations.push(format!("{repeated} mails arrived again in {faults} faults"));
    }
    violations
}

/// What the log says of mails.
#[derive(Default)]
struct Mails {
    /// The events that mails were asked for, and whom each mail is for.
    asked: BTreeSet<(Uuid, UserId)>,
    outcomes: BTreeMap<Uuid, Option<Outcome>>,
    /// Until when each mail was worth sending.
    not_after: BTreeMap<Uuid, Timestamp>,
    /// The mails that ended when they were not worth sending any more, such as that somebody was outbid in an auction that
    /// has ended.
    outlived: BTreeSet<Uuid>,
    /// One line for each event of which somebody was asked several mails for.
    asked_twice: Vec<String>,
}

impl Mails {
    fn of(log: &[Recorded]) -> Self {
        let mut mails = Self::default();
        for recorded in log {
            match recorded.decode() {
                Ok(Event::Message(message::Event::Requested {
                    message_id,
                    user_id,
                    not_after,
                    ..
                })) => {
                    mails.not_after.insert(message_id.0, *not_after);
                    let metadata: Metadata = serde_json::from_str(&recorded.metadata).unwrap();
                    let cause = metadata.causation_id.unwrap_or_default();
                    if !mails.asked.insert((cause, user_id)) {
                        let position = recorded.position;
                        let again = format!("position {position} asks for the same mail again");
                        mails.asked_twice.push(again);
                    }
                    mails.outcomes.insert(message_id.0, None);
                }
                Ok(Event::Message(message::Event::Ended {
                    message_id,
                    outcome,
                    ..
                })) => {
                    mails.outcomes.insert(message_id.0, Some(outcome));
                    if mails.not_after.get(&message_id.0) <= Some(&recorded.recorded_at) {
                        mails.outlived.insert(message_id.0);
                    }
                }
                _ => {}
            }
        }
        mails
    }

    /// Whoever registered since the first of whom somebody took notice, and is sent nothing.
    fn unasked(&self, log: &[Recorded]) -> Vec<String> {
        let noticed: BTreeSet<_> = self.asked.iter().map(|(cause, _)| *cause).collect();
        let registered = log
            .iter()
            .filter(|event| event.event_type == "user.registered")
            .skip_while(|event| !noticed.contains(&event.event_id));
        registered
            .filter(|event| !noticed.contains(&event.event_id))
            .map(|event| format!("nobody welcomes who registered at {}", event.position))
            .collect()
    }
}

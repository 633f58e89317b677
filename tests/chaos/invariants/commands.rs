//! What clients sent and were answered, against the log.

use std::collections::HashMap;

use serde_json::Value;
use tidemark_events::Recorded;
use uuid::Uuid;

use crate::journal::{Entry, ExpectedEvent};

/// How long after a fault its effects are still excused, in milliseconds.
const AFTERMATH_MS: u64 = 5_000;

/// A command of the journal.
struct SentCommand<'a> {
    id: Uuid,
    expected: &'a ExpectedEvent,
    /// The highest position that had been answered to anybody when the command was first sent.
    sent_after: i64,
    outcome: Outcome,
    /// The events of the expected type in the log that carry the command's id.
    events: Vec<&'a Recorded>,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Accepted {
        position: i64,
    },
    /// It was accepted, and a failover that was declared to lose events lost it.
    Lost,
    Refused,
    Unknown,
}

/// All commands of a journal.
pub(crate) struct SentCommands<'a>(Vec<SentCommand<'a>>);

impl<'a> SentCommands<'a> {
    /// Finds the events of each command in the log.
    pub(crate) fn of(journal: &'a [Entry], log: &'a [Recorded]) -> Self {
        let mut events: HashMap<Uuid, Vec<&Recorded>> = HashMap::new();
        for event in log {
            let id = event.metadata().unwrap().correlation_id;
            events.entry(id).or_default().push(event);
        }
        let mut commands = Vec::new();
        let mut indices = HashMap::new();
        let mut highest = 0;
        for entry in journal {
            let (id, outcome) = match entry {
                Entry::Sent { id, expected } => {
                    let mut events = events.remove(id).unwrap_or_default();
                    events.retain(|event| event.event_type == expected.event_type);
                    indices.insert(*id, commands.len());
                    commands.push(SentCommand {
                        id: *id,
                        expected,
                        sent_after: highest,
                        outcome: Outcome::Unknown,
                        events,
                    });
                    continue;
                }
                Entry::Accepted { id, position, .. } => {
                    highest = highest.max(*position);
                    let position = *position;
                    (id, Outcome::Accepted { position })
                }
                Entry::Refused { id, .. } => (id, Outcome::Refused),
                Entry::Unknown { id } => (id, Outcome::Unknown),
                Entry::LogSetBack { head } => {
                    highest = highest.min(*head);
                    for command in &mut commands {
                        SentCommand::set_back(command, *head);
                    }
                    continue;
                }
                Entry::Uploaded { .. }
                | Entry::Read { .. }
                | Entry::ServerError { .. }
                | Entry::FaultBegins { .. }
                | Entry::FaultEnds { .. } => continue,
            };
            commands[indices[id]].outcome = outcome;
        }
        Self(commands)
    }

    /// [`super::ACKNOWLEDGED_EVENT_LOST`]: accepted commands whose event is not in the log up to
    /// the position that the client was answered.
    pub(crate) fn lost(&self) -> Vec<String> {
        self.violations(|command| match command.outcome {
            Outcome::Accepted { position } => !command
                .events
                .iter()
                .any(|event| event.position <= position),
            Outcome::Lost | Outcome::Refused | Outcome::Unknown => false,
        })
    }

    /// [`super::EVENT_DUPLICATED_OR_ALTERED`]: commands with more than one event, or with other
    /// data than they asked for.
    pub(crate) fn duplicated_or_altered(&self) -> Vec<String> {
        self.violations(|command| {
            let is_altered = |event: &&Recorded| {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                !contains(&data, &command.expected.data)
            };
            command.events.len() > 1 || command.events.iter().any(is_altered)
        })
    }

    /// [`super::REFUSED_COMMAND_STORED`]: commands that were refused, and yet have an event.
    pub(crate) fn refused_and_stored(&self) -> Vec<String> {
        self.violations(|command| command.outcome == Outcome::Refused && !command.events.is_empty())
    }

    /// [`super::ORDER_AGAINST_REAL_TIME`]: commands whose event stands before one that had been
    /// answered when they were sent.
    pub(crate) fn out_of_order(&self) -> Vec<String> {
        self.violations(|command| {
            let mut events = command.events.iter();
            events.any(|event| event.position <= command.sent_after)
        })
    }

    fn violations(&self, is_violation: impl Fn(&&SentCommand<'_>) -> bool) -> Vec<String> {
        let violations = self.0.iter().filter(is_violation);
        violations.map(SentCommand::describe).collect()
    }
}

impl SentCommand<'_> {
    /// Forgets what it knows of positions that the log has lost. The log uses them again.
    fn set_back(&mut self, head: i64) {
        self.sent_after = self.sent_after.min(head);
        if matches!(self.outcome, Outcome::Accepted { position } if position > head) {
            self.outcome = Outcome::Lost;
        }
    }

    fn describe(&self) -> String {
        let outcome = match self.outcome {
            Outcome::Accepted { position } => format!("was accepted at position {position}"),
            Outcome::Lost => "was accepted and is lost".to_owned(),
            Outcome::Refused => "was refused".to_owned(),
            Outcome::Unknown => "had an unknown outcome".to_owned(),
        };
        let (id, event_type, sent_after) = (self.id, &self.expected.event_type, self.sent_after);
        let positions: Vec<_> = self.events.iter().map(|event| event.position).collect();
        format!(
            "command {id} {outcome}; it was sent after position {sent_after} had been answered; \
             the log has its {event_type} at {positions:?}"
        )
    }
}

/// Whether a document has all members of another.
fn contains(document: &Value, members: &Value) -> bool {
    let Some(members) = members.as_object() else {
        return document == members;
    };
    members
        .iter()
        .all(|(name, value)| contains(&document[name], value))
}

/// [`super::STALE_READ`]: answers older than the position that was asked for, or without what the
/// client had written before.
pub(crate) fn stale_reads(journal: &[Entry]) -> Vec<String> {
    let violation = |entry: &Entry| {
        let Entry::Read {
            client,
            at_least,
            position,
            missing,
        } = entry
        else {
            return None;
        };
        let read = format!("client {client} asked for position {at_least}");
        match missing {
            Some(missing) => Some(format!("{read}, was answered {position}: {missing}")),
            None if position < at_least => Some(format!("{read}, was answered {position}")),
            None => None,
        }
    };
    journal.iter().filter_map(violation).collect()
}

/// [`super::UNEXPECTED_ERROR`]: 5xx while no fault was at work, nor had been in the last 5 s; and
/// at any time those that are not 503, or do not say when to come back.
pub(crate) fn unexpected_errors(journal: &[Entry]) -> Vec<String> {
    let mut at_work = Vec::new();
    let mut last_end_ms = None;
    let mut violations = Vec::new();
    for entry in journal {
        match entry {
            Entry::FaultBegins { fault, .. } => at_work.push(fault),
            Entry::FaultEnds { at_ms, .. } => {
                at_work.pop();
                last_end_ms = Some(*at_ms);
            }
            Entry::ServerError {
                at_ms,
                status,
                code,
                retry_after,
            } => {
                let is_aftermath = last_end_ms.is_some_and(|end| *at_ms < end + AFTERMATH_MS);
                let is_excused = !at_work.is_empty() || is_aftermath;
                if !is_excused || *status != 503 || !retry_after {
                    let retry_after = if *retry_after {
                        ""
                    } else {
                        " without Retry-After"
                    };
                    let fault = at_work.last().map_or("no fault", |fault| fault.as_str());
                    violations.push(format!(
                        "{status} {code}{retry_after}, {at_ms} ms after the load began, during {fault}"
                    ));
                }
            }
            Entry::Sent { .. }
            | Entry::Accepted { .. }
            | Entry::Uploaded { .. }
            | Entry::Refused { .. }
            | Entry::Unknown { .. }
            | Entry::LogSetBack { .. }
            | Entry::Read { .. } => {}
        }
    }
    violations
}

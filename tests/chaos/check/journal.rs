//! What clients were told, against what is in the log.

use std::collections::HashMap;

use serde_json::Value;
use tidemark_events::Recorded;
use uuid::Uuid;

use crate::journal::{Expected, Line};

/// How long after a fault its effects may still be felt, in ms.
const AFTERMATH_MS: u64 = 5_000;

/// A command, what became of it, and what is in the log of it.
struct Attempt<'a> {
    id: Uuid,
    expect: &'a Expected,
    /// The highest position that anybody had been told of when it was first sent.
    after: i64,
    outcome: Outcome,
    /// The events of the expected type that carry its id.
    events: Vec<&'a Recorded>,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Ok(i64),
    Refused,
    Unknown,
}

/// All commands of a journal.
pub(crate) struct Attempts<'a>(Vec<Attempt<'a>>);

impl<'a> Attempts<'a> {
    /// Finds what is in the log of each command.
    pub(crate) fn of(lines: &'a [Line], log: &'a [Recorded]) -> Self {
        let mut events: HashMap<Uuid, Vec<&Recorded>> = HashMap::new();
        for event in log {
            let id = event.metadata().unwrap().correlation_id;
            events.entry(id).or_default().push(event);
        }
        let mut attempts = Vec::new();
        let mut places = HashMap::new();
        let mut highest = 0;
        for line in lines {
            let (id, outcome) = match line {
                Line::Invoke { id, expect } => {
                    let mut events = events.remove(id).unwrap_or_default();
                    events.retain(|event| event.event_type == expect.event);
                    places.insert(*id, attempts.len());
                    attempts.push(Attempt {
                        id: *id,
                        expect,
                        after: highest,
                        outcome: Outcome::Unknown,
                        events,
                    });
                    continue;
                }
                Line::Ok { id, position, .. } => {
                    highest = highest.max(*position);
                    (id, Outcome::Ok(*position))
                }
                Line::Refused { id, .. } => (id, Outcome::Refused),
                Line::Unknown { id } => (id, Outcome::Unknown),
                Line::Read { .. }
                | Line::Error { .. }
                | Line::FaultBegins { .. }
                | Line::FaultEnds { .. } => continue,
            };
            attempts[places[id]].outcome = outcome;
        }
        Self(attempts)
    }

    /// I1: commands that were accepted, and whose event is not in the log, or not at the position that
    /// the client was told.
    pub(crate) fn lost(&self) -> Vec<String> {
        let is_there = |attempt: &&Attempt<'_>| match attempt.outcome {
            Outcome::Ok(told) => !attempt.events.iter().any(|event| event.position <= told),
            Outcome::Refused | Outcome::Unknown => false,
        };
        self.all(is_there)
    }

    /// I2: commands that are in the log more than once, or otherwise than they were asked for.
    pub(crate) fn duplicated(&self) -> Vec<String> {
        self.all(|attempt| {
            let differs = |event: &&Recorded| {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                !contains(&data, &attempt.expect.data)
            };
            attempt.events.len() > 1 || attempt.events.iter().any(differs)
        })
    }

    /// I3: commands that were refused after all, and yet are in the log.
    pub(crate) fn half_known(&self) -> Vec<String> {
        self.all(|attempt| attempt.outcome == Outcome::Refused && !attempt.events.is_empty())
    }

    /// I5: commands whose place in the log is before that of one that had been answered when they
    /// were sent.
    pub(crate) fn reordered(&self) -> Vec<String> {
        let is_early = |event: &&Recorded, after| event.position <= after;
        self.all(|attempt| {
            let mut events = attempt.events.iter();
            events.any(|event| is_early(event, attempt.after))
        })
    }

    fn all(&self, is_wrong: impl Fn(&&Attempt<'_>) -> bool) -> Vec<String> {
        let wrong = self.0.iter().filter(is_wrong);
        wrong.map(Attempt::describe).collect()
    }
}

impl Attempt<'_> {
    fn describe(&self) -> String {
        let positions: Vec<_> = self.events.iter().map(|event| event.position).collect();
        let told = match self.outcome {
            Outcome::Ok(position) => format!("accepted at {position}"),
            Outcome::Refused => "refused".to_owned(),
            Outcome::Unknown => "of unknown outcome".to_owned(),
        };
        let (id, event, after) = (self.id, &self.expect.event, self.after);
        format!("{event} {id}, {told}, sent after {after}, is at {positions:?}")
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

/// I11: answers that reflect less than what the session had seen when it asked.
pub(crate) fn stale_reads(lines: &[Line]) -> Vec<String> {
    let is_stale = |line: &&Line| {
        matches!(
            line,
            Line::Read { at_least, position, missing, .. }
                if position < at_least || missing.is_some()
        )
    };
    let stale = lines.iter().filter(is_stale);
    stale.map(|line| format!("{line:?}")).collect()
}

/// I16: answers 5xx while no fault was at work, nor had been for a while; and at any time those that
/// are no 503, or do not say when to come back.
pub(crate) fn errors(lines: &[Line]) -> Vec<String> {
    // Before the first fault nothing may fail.
    let (mut at_work, mut over_since) = (0, None);
    let mut found = Vec::new();
    for line in lines {
        match line {
            Line::FaultBegins { .. } => at_work += 1,
            Line::FaultEnds { at_ms, .. } => {
                at_work -= 1;
                over_since = Some(*at_ms);
            }
            Line::Error {
                at_ms,
                status,
                retry_after,
                ..
            } => {
                let felt = over_since.is_some_and(|over| *at_ms < over + AFTERMATH_MS);
                if (at_work == 0 && !felt) || *status != 503 || !retry_after {
                    found.push(format!("{line:?}"));
                }
            }
            Line::Invoke { .. }
            | Line::Ok { .. }
            | Line::Refused { .. }
            | Line::Unknown { .. }
            | Line::Read { .. } => {}
        }
    }
    found
}

//! What a task calls and with which secrets, as the newest of its events say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::tasks::task::{Event, Host, Method, Name, OldSecret, Plan};
use tidemark_events::{DecodeError, Event as AnyEvent, KeyedHash, Sealed, Stored, UserId};

/// What a task calls, as JSON that is sealed as `task_call`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct CallTerms {
    /// The URL.
    pub url: String,
    /// The headers that the owner has stated, by their names.
    pub headers: BTreeMap<String, String>,
    /// What is sent; none if nothing is.
    pub body: Option<String>,
}

/// What a task calls, when, and with which secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The user whose task it is.
    pub owner_id: UserId,
    /// How often it was changed.
    pub changes: u32,
    /// The name.
    pub name: Stored<Name>,
    /// The method of its calls.
    pub method: Method,
    /// The host that it calls.
    pub host: Stored<Host>,
    /// The port that it calls; none if it is the one of `https`, or if a build before defined the task.
    pub port: Option<u32>,
    /// The URL, the headers and the body of its calls, sealed as `task_call`.
    pub call: Box<Sealed>,
    /// The keyed hash of the owner and the URL.
    pub url_hash: KeyedHash,
    /// When it is due; none if it runs on request only.
    pub plan: Option<Box<Plan>>,
    /// The secret that signs its calls, sealed as `task_secret`.
    pub secret: Box<Sealed>,
    /// Those before that sign beside it for a while, the newest first.
    pub old_secrets: Vec<OldSecret>,
}

impl Definition {
    /// What these events of the log say, of which the first is the definition. `None` if it is not.
    ///
    /// # Errors
    /// If this build cannot read one of them.
    pub fn read(
        decoded: impl IntoIterator<Item = Result<AnyEvent, DecodeError>>,
    ) -> Result<Option<Self>, DecodeError> {
        let mut events = Vec::new();
        for event in decoded {
            if let AnyEvent::Task(event) = event? {
                events.push(event);
            }
        }
        Ok(Self::of(events))
    }

    /// What these events say, of which the first is the definition. `None` if it is not.
    fn of(events: impl IntoIterator<Item = Event>) -> Option<Self> {
        let mut events = events.into_iter();
        let mut definition = Self::of_first(events.next()?)?;
        for event in events {
            definition.apply(event);
        }
        Some(definition)
    }

    fn of_first(event: Event) -> Option<Self> {
        let Event::Defined {
            owner_id,
            name,
            method,
            host,
            port,
            call,
            secret,
            url_hash,
            plan,
            ..
        } = event
        else {
            return None;
        };
        Some(Self {
            owner_id,
            changes: 0,
            name,
            method,
            host,
            port,
            call,
            url_hash,
            plan,
            secret,
            old_secrets: Vec::new(),
        })
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Changed {
                change,
                name,
                method,
                host,
                port,
                call,
                url_hash,
                plan,
                ..
            } => {
                *self = Self {
                    changes: change,
                    name,
                    method,
                    host,
                    port,
                    call,
                    url_hash,
                    plan,
                    ..self.clone()
                };
            }
            Event::SecretRotated {
                secret,
                old_secret,
                older_secrets,
                ..
            } => {
                self.secret = secret;
                self.old_secrets = [vec![*old_secret], older_secrets].concat();
            }
            Event::Defined { .. }
            | Event::SlotTaken { .. }
            | Event::SlotsSkipped { .. }
            | Event::RunEnded { .. }
            | Event::Paused { .. }
            | Event::Resumed { .. }
            | Event::Replanned { .. }
            | Event::Retired { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event as AnyEvent;

    use super::*;
    use crate::given::sample;

    fn task(event_type: &str) -> Event {
        let AnyEvent::Task(event) = sample(event_type) else {
            panic!("not an event of a task")
        };
        event
    }

    #[test]
    fn the_newest_events_say_what_a_task_calls() {
        let events = ["task.defined", "task.changed", "task.secret_rotated"].map(task);
        let first = Definition::of(events[..1].to_vec()).unwrap();
        assert_eq!((first.changes, first.method), (0, Method::Post));
        assert_eq!(first.old_secrets, []);
        let last = Definition::of(events).unwrap();
        assert_eq!((last.changes, last.method), (1, Method::Put));
        assert_eq!(last.old_secrets[0].secret, *first.secret);
        assert_eq!(last.old_secrets.len(), 2);
        assert_ne!(last.secret, first.secret);
        assert_eq!(Definition::of([task("task.changed")]), None);
    }
}

//! Given facts, when a command, then writes or a refusal: the harness of this crate's tests.
//!
//! It loads what a decision asks for, as the executor does, so that tests declare no loads.

use std::collections::BTreeMap;

use serde_json::Value;
use tidemark_events::identity::user;
use tidemark_events::identity::user::Role;
use tidemark_events::{Actor, Event, Timestamp, UserId, samples};
use uuid::Uuid;

use crate::{Claim, Command, Load, Loaded, Reads, Refusal, States, Stop, View, Write};

/// An admin.
pub(crate) const ADMIN: UserId = UserId(Uuid::from_u128(0xad));
/// A second bidder.
pub(crate) const RIVAL: UserId = UserId(Uuid::from_u128(0x12));

/// The sample of that type.
pub(crate) fn sample(event_type: &str) -> Event {
    samples::all()
        .into_iter()
        .find(|event| event.encode().is_ok_and(|e| e.event_type == event_type))
        .unwrap_or_else(|| panic!("no sample of {event_type}"))
}

/// The writes of the samples of those types.
pub(crate) fn writes_of<const N: usize>(event_types: [&str; N]) -> Vec<Write> {
    let write = |event| Write::Event(stream_of(&event), event);
    event_types.map(sample).map(write).into()
}

/// Somebody joined.
pub(crate) fn joined(user_id: UserId) -> Event {
    let mut event = sample("user.registered");
    if let Event::User(user::Event::Registered { user_id: id, .. }) = &mut event {
        *id = user_id;
    }
    event
}

/// Somebody got a role.
pub(crate) fn granted(user_id: UserId, role: Role) -> Event {
    user::Event::RoleGranted { user_id, role }.into()
}

/// Everything that has happened, and who asks when.
pub(crate) struct Given {
    pub(crate) log: Vec<(Uuid, Event, Timestamp)>,
    pub(crate) claims: BTreeMap<Claim, Uuid>,
    actor: Actor,
    now: Timestamp,
}

/// The facts, long ago; nobody known asks, when the samples' year begins.
pub(crate) fn given(events: impl IntoIterator<Item = Event>) -> Given {
    Given {
        log: events
            .into_iter()
            .map(|event| (stream_of(&event), event, Timestamp::UNIX_EPOCH))
            .collect(),
        claims: BTreeMap::new(),
        actor: Actor::Anonymous,
        now: samples::at(0),
    }
}

impl Given {
    /// More facts, long ago.
    pub(crate) fn and(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.log.extend(given(events).log);
        self
    }

    /// A claim that a stream holds.
    pub(crate) fn claimed(mut self, claim: Claim, owner: Uuid) -> Self {
        self.claims.insert(claim, owner);
        self
    }

    /// The time.
    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Who asks.
    pub(crate) fn by(mut self, user: UserId) -> Self {
        self.actor = Actor::User(user);
        self
    }

    /// A service asks.
    pub(crate) fn by_service(mut self) -> Self {
        self.actor = Actor::Service("timer".to_owned());
        self
    }

    /// Decides.
    #[expect(clippy::needless_pass_by_value, reason = "a test reads as a sentence")]
    pub(crate) fn when(&self, command: impl Command) -> Result<Vec<Write>, Refusal> {
        let mut known = Known::default();
        loop {
            let view = View::new(&known, &self.actor, self.now);
            match command.decide(&view) {
                Ok(writes) => {
                    self.assert_checked(&writes, &view.into_reads());
                    return Ok(writes);
                }
                Err(Stop::Refused(error)) => return Err(error),
                Err(Stop::Load(Load::Stream(id))) => {
                    let before = known.streams.insert(id, self.fold(id));
                    assert!(before.is_none(), "{id} is asked for without end");
                }
                Err(Stop::Load(Load::Claim(claim))) => {
                    let owner = self.claims.get(&claim).copied();
                    known.claims.insert(claim, owner);
                }
            }
        }
    }

    /// Decides, and if the answer is yes, that has happened.
    pub(crate) fn play(&mut self, command: impl Command) -> Result<Vec<Write>, Refusal> {
        let writes = self.when(command)?;
        for write in writes.clone() {
            match write {
                Write::Event(id, event) => self.log.push((id, event, self.now)),
                Write::Claim(claim, owner) => {
                    assert_eq!(self.claims.insert(claim, owner), None, "claimed twice");
                }
                Write::Release(claim) => {
                    assert!(self.claims.remove(&claim).is_some(), "released twice");
                }
            }
        }
        Ok(writes)
    }

    fn fold(&self, stream: Uuid) -> Loaded {
        let mut loaded = Loaded::default();
        for (_, event, at) in self.log.iter().filter(|(id, ..)| *id == stream) {
            loaded.apply(event, *at);
        }
        loaded
    }

    /// What a decision writes to must be new, or among what it rests on.
    fn assert_checked(&self, writes: &[Write], reads: &Reads) {
        for write in writes {
            match write {
                Write::Event(id, event) => assert!(
                    reads.streams.contains_key(id)
                        || self.log.iter().all(|(known, ..)| known != id),
                    "{event:?} goes to a stream that was not read"
                ),
                Write::Claim(claim, _) => {
                    assert!(reads.claims.contains_key(claim), "{claim:?} was not read");
                }
                Write::Release(_) => {}
            }
        }
    }
}

#[derive(Default)]
struct Known {
    streams: BTreeMap<Uuid, Loaded>,
    claims: BTreeMap<Claim, Option<Uuid>>,
}

impl States for Known {
    fn stream(&self, id: Uuid) -> Option<&Loaded> {
        self.streams.get(&id)
    }

    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>> {
        self.claims.get(claim).copied()
    }
}

/// Every fact names its stream in the field that is called after its aggregate.
fn stream_of(event: &Event) -> Uuid {
    let data: Value = serde_json::from_str(&event.encode().unwrap().data).unwrap();
    let id = &data[format!("{}_id", event.aggregate().name())];
    id.as_str().unwrap().parse().unwrap()
}

//! The harness of this crate's tests: given events, when a command is decided, then these writes or that
//! refusal.
//!
//! It loads what a decision asks for, as the executor does, so that tests need not declare it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tidemark_events::identity::user::Role;
use tidemark_events::identity::{session, user};
use tidemark_events::{Actor, Event, KeyedHash, SessionId, Timestamp, UserId, samples};
use uuid::Uuid;

pub(crate) use tidemark_events::samples::RIVAL;

use crate::messaging::message::TextLimits;
use crate::{Claim, Command, Load, LoadedStream, Reads, Refusal, States, Stop, View, Write};

/// An admin, once [`granted`] the role.
pub(crate) const ADMIN: UserId = UserId(Uuid::from_u128(0xad));

/// The sample event of a type.
pub(crate) fn sample(event_type: &str) -> Event {
    samples::all()
        .into_iter()
        .find(|event| event.encode().is_ok_and(|e| e.event_type == event_type))
        .unwrap_or_else(|| panic!("no sample of {event_type}"))
}

/// The writes that append the sample events of these types.
pub(crate) fn writes_of<const N: usize>(event_types: [&str; N]) -> Vec<Write> {
    let write = |event| Write::Event(stream_of(&event), event);
    event_types.map(sample).map(write).into()
}

/// The event that a user registered.
pub(crate) fn registered(user_id: UserId) -> Event {
    let mut event = sample("user.registered");
    if let Event::User(user::Event::Registered { user_id: id, .. }) = &mut event {
        *id = user_id;
    }
    event
}

/// The event that a user got a role.
pub(crate) fn granted(user_id: UserId, role: Role) -> Event {
    user::Event::RoleGranted { user_id, role }.into()
}

/// The event that a user logged in, for longer than any test takes.
pub(crate) fn logged_in(user_id: UserId, session_id: SessionId) -> Event {
    session::Event::Opened {
        session_id,
        user_id,
        token_hash: KeyedHash("0".to_owned()),
        idle_until: samples::moment(1_000_000_000).into(),
        ends_at: samples::moment(1_000_000_000).into(),
        roles: BTreeSet::new(),
    }
    .into()
}

/// Everything that has happened, the actor of the next command, and its time.
pub(crate) struct Given {
    pub(crate) log: Vec<(Uuid, Event, Timestamp)>,
    pub(crate) claims: BTreeMap<Claim, Uuid>,
    actor: Actor,
    session: Option<SessionId>,
    now: Timestamp,
}

/// These events happened long ago. The next command is anonymous, at second 0 of the samples.
pub(crate) fn given(events: impl IntoIterator<Item = Event>) -> Given {
    Given {
        log: events
            .into_iter()
            .map(|event| (stream_of(&event), event, Timestamp::UNIX_EPOCH))
            .collect(),
        claims: BTreeMap::new(),
        actor: Actor::Anonymous,
        session: None,
        now: samples::at(0),
    }
}

impl Given {
    /// These events happened long ago, too.
    pub(crate) fn and(mut self, events: impl IntoIterator<Item = Event>) -> Self {
        self.log.extend(given(events).log);
        self
    }

    /// A stream owns the claim.
    pub(crate) fn claimed(mut self, claim: Claim, owner: Uuid) -> Self {
        self.claims.insert(claim, owner);
        self
    }

    /// The next command is decided at this time.
    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The next command is sent by this user, in a session of their own that goes on.
    pub(crate) fn by(self, user: UserId) -> Self {
        let session = SessionId(Uuid::from_u128(user.0.as_u128() << 64));
        self.and([logged_in(user, session)]).by_in(user, session)
    }

    /// The next command is sent by this user in this session.
    pub(crate) fn by_in(mut self, user: UserId, session: SessionId) -> Self {
        self.actor = Actor::User(user);
        self.session = Some(session);
        self
    }

    /// The next command is sent by a service.
    pub(crate) fn by_service(mut self) -> Self {
        self.actor = Actor::Service("auction-timer".to_owned());
        self
    }

    /// Decides the command, and changes nothing.
    #[expect(clippy::needless_pass_by_value, reason = "a test reads as a sentence")]
    pub(crate) fn when<C: Command>(&self, command: C) -> Result<Vec<Write>, Refusal> {
        let mut cache = Cache::default();
        loop {
            let view = View::new(&cache, &self.actor, self.session, self.now);
            match command.decide(&view) {
                Ok(writes) => {
                    self.assert_read(&writes, &view.into_reads());
                    return Ok(writes);
                }
                Err(Stop::Refused(refusal)) => {
                    assert_listed::<C>(&refusal);
                    return Err(refusal);
                }
                Err(Stop::Load(Load::Stream(id))) => {
                    let before = cache.streams.insert(id, self.fold(id));
                    assert!(before.is_none(), "{id} is asked for without end");
                }
                Err(Stop::Load(Load::Claim(claim))) => {
                    let owner = self.claims.get(&claim).copied();
                    cache.claims.insert(claim, owner);
                }
            }
        }
    }

    /// Decides the command, and applies its writes unless it is refused.
    pub(crate) fn execute(&mut self, command: impl Command) -> Result<Vec<Write>, Refusal> {
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

    fn fold(&self, stream: Uuid) -> LoadedStream {
        let mut loaded = LoadedStream::default();
        for (_, event, at) in self.log.iter().filter(|(id, ..)| *id == stream) {
            loaded.apply(event, *at);
        }
        loaded
    }

    /// Every stream and claim that is written must be new or in the read set: the append would not notice
    /// a conflict on any other.
    fn assert_read(&self, writes: &[Write], reads: &Reads) {
        for write in writes {
            match write {
                Write::Event(id, event) => assert!(
                    reads.streams.contains_key(id)
                        || self.log.iter().all(|(known, ..)| known != id),
                    "{event:?} goes to a stream that was not read"
                ),
                Write::Claim(claim, _) | Write::Release(claim) => {
                    assert!(reads.claims.contains_key(claim), "{claim:?} was not read");
                }
            }
        }
    }
}

/// A command must list each refusal that it gives.
fn assert_listed<C: Command>(refusal: &Refusal) {
    let mut listed = C::refusals().into_iter();
    assert!(
        listed.any(|it| (it.kind, it.code) == (refusal.kind, refusal.code)),
        "`refusals` does not list {refusal:?}"
    );
}

#[derive(Default)]
struct Cache {
    streams: BTreeMap<Uuid, LoadedStream>,
    claims: BTreeMap<Claim, Option<Uuid>>,
}

impl States for Cache {
    fn stream(&self, id: Uuid) -> Option<&LoadedStream> {
        self.streams.get(&id)
    }

    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>> {
        self.claims.get(claim).copied()
    }
}

/// Every event names its stream in the field that is called after its aggregate, such as `auction_id`.
fn stream_of(event: &Event) -> Uuid {
    let data: Value = serde_json::from_str(&event.encode().unwrap().data).unwrap();
    let id = &data[format!("{}_id", event.aggregate().name())];
    id.as_str().unwrap().parse().unwrap()
}

/// How many texts are sent.
pub(crate) const TEXT_LIMITS: TextLimits = TextLimits {
    per_10_minutes_max: 3,
    per_day_max: 10,
    codes_per_10_minutes_max: 2,
    codes_per_day_max: 3,
    segments_max: 3,
    segments_per_day_max: 1_000,
    code_segments_per_day_max: 1_000,
};

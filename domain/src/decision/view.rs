//! What a command sees while it decides, and the read set: what it looked at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tidemark_events::{Actor, SessionId, Timestamp};
use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::loaded_stream::LoadedStream;
use crate::decision::state::AggregateState;
use crate::decision::stop::{Load, Stop};

/// The states and claims that are loaded: the executor's cache, or what a test has given.
pub trait States {
    /// The stream; `None` if it is not loaded.
    fn stream(&self, id: Uuid) -> Option<&LoadedStream>;
    /// The owner of the claim; `None` if that is not loaded, and `Some(None)` if nobody owns it.
    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>>;
}

/// The read set of a decision. The append checks that nothing in it has changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The version of each stream that was read.
    pub streams: BTreeMap<Uuid, i64>,
    /// The owner of each claim that was read; none if nobody owned it.
    pub claims: BTreeMap<Claim, Option<Uuid>>,
}

/// What a command sees while it decides. Everything that it looks at goes into the read set.
pub struct View<'a> {
    states: &'a dyn States,
    actor: &'a Actor,
    session: Option<SessionId>,
    now: Cell<Timestamp>,
    reads: RefCell<Reads>,
}

impl<'a> View<'a> {
    /// A view of `states` for a command that `actor` sends, a user in a `session`, and that is decided at `now`.
    #[must_use]
    pub fn new(
        states: &'a dyn States,
        actor: &'a Actor,
        session: Option<SessionId>,
        now: Timestamp,
    ) -> Self {
        Self {
            states,
            actor,
            session,
            now: Cell::new(now),
            reads: RefCell::default(),
        }
    }

    /// The state of a stream, or [`AggregateState::NONE`] if the stream has no events or is another
    /// aggregate's.
    ///
    /// # Errors
    /// [`Stop::Load`] if the stream is not loaded.
    pub fn get<A: AggregateState>(&self, id: Uuid) -> Result<&'a A, Stop> {
        let loaded = self.states.stream(id).ok_or(Stop::Load(Load::Stream(id)))?;
        self.reads.borrow_mut().streams.insert(id, loaded.version);
        if let Some(last_at) = loaded.last_at {
            self.now.set(self.now.get().max(last_at));
        }
        Ok(loaded.state())
    }

    /// The stream that owns a claim; `None` if nobody owns it.
    ///
    /// # Errors
    /// [`Stop::Load`] if the owner is not loaded.
    pub fn owner(&self, claim: &Claim) -> Result<Option<Uuid>, Stop> {
        let owner = self
            .states
            .owner(claim)
            .ok_or_else(|| Stop::Load(Load::Claim(claim.clone())))?;
        self.reads.borrow_mut().claims.insert(claim.clone(), owner);
        Ok(owner)
    }

    /// The actor who sent the command.
    #[must_use]
    pub const fn actor(&self) -> &'a Actor {
        self.actor
    }

    /// The session in which a user sent the command; none of other actors.
    #[must_use]
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The moment of the decision. It is never earlier than the last event of any stream read so far,
    /// whatever the clock says, so read the streams first and ask for the time afterwards.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// The read set.
    #[must_use]
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }
}

//! What a command sees while it decides, and the note of what it has looked at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tidemark_events::{Actor, Timestamp};
use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::loaded::Loaded;
use crate::decision::state::AggregateState;
use crate::decision::stop::{Load, Stop};

/// What is known: the executor's cache, or a test's givens.
pub trait States {
    /// The stream, if it is loaded.
    fn stream(&self, id: Uuid) -> Option<&Loaded>;
    /// The owner of the claim, if that is loaded: `Some(None)` says that nobody has it.
    fn owner(&self, claim: &Claim) -> Option<Option<Uuid>>;
}

/// What a decision rested on. The append checks that none of it has moved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Versions of the streams read.
    pub streams: BTreeMap<Uuid, i64>,
    /// Owners of the claims read.
    pub claims: BTreeMap<Claim, Option<Uuid>>,
}

/// What a command sees. Whatever it looks at is noted, so that the append can check it.
pub struct View<'a> {
    states: &'a dyn States,
    actor: &'a Actor,
    now: Cell<Timestamp>,
    reads: RefCell<Reads>,
}

impl<'a> View<'a> {
    /// A view of `states` for `actor` at `now`.
    #[must_use]
    pub fn new(states: &'a dyn States, actor: &'a Actor, now: Timestamp) -> Self {
        Self {
            states,
            actor,
            now: Cell::new(now),
            reads: RefCell::default(),
        }
    }

    /// The state of a stream; the default where it has no events or is of another aggregate.
    ///
    /// # Errors
    /// [`Stop::Load`] if it is not loaded.
    pub fn get<A: AggregateState>(&self, id: Uuid) -> Result<&'a A, Stop> {
        let loaded = self.states.stream(id).ok_or(Stop::Load(Load::Stream(id)))?;
        self.reads.borrow_mut().streams.insert(id, loaded.version);
        if let Some(last_at) = loaded.last_at {
            self.now.set(self.now.get().max(last_at));
        }
        Ok(loaded.state())
    }

    /// The stream that owns a claim.
    ///
    /// # Errors
    /// [`Stop::Load`] if that is not loaded.
    pub fn owner(&self, claim: &Claim) -> Result<Option<Uuid>, Stop> {
        let owner = self
            .states
            .owner(claim)
            .ok_or_else(|| Stop::Load(Load::Claim(claim.clone())))?;
        self.reads.borrow_mut().claims.insert(claim.clone(), owner);
        Ok(owner)
    }

    /// Who wants it.
    #[must_use]
    pub const fn actor(&self) -> &'a Actor {
        self.actor
    }

    /// The moment of the decision: never before the last event of a stream looked at so far, so
    /// ask after looking.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// What was looked at.
    #[must_use]
    pub fn into_reads(self) -> Reads {
        self.reads.into_inner()
    }
}

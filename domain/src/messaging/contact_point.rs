//! Contact points: the addresses and telephone numbers that messages are for, each known by its keyed hash. One that servers
//! refuse gets nothing for a while.

mod error;
mod release;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::contact_point::{Event, Reason, Scope};
use tidemark_events::messaging::message::{Status, Template};
use tidemark_events::{ContactPointId, KeyedHash, MessageId, Moment, Stored, Timestamp};

pub use error::Error;
pub use release::Release;

use crate::messaging::bounce::Bounce;
use crate::{AggregateState, Claim, ClaimScope, Stop, View, Write};

/// For how long nothing is sent to an address that does not exist.
const AFTER_HARD_BOUNCE: TimeDelta = TimeDelta::days(30);
/// So many soft bounces within [`SOFT_BOUNCES_WITHIN`] suppress an address.
const SOFT_BOUNCES_MAX: usize = 5;
/// The time within which soft bounces are counted.
const SOFT_BOUNCES_WITHIN: TimeDelta = TimeDelta::days(14);
/// For how long nothing is sent to an address after that.
const AFTER_SOFT_BOUNCES: TimeDelta = TimeDelta::days(7);

/// The state of a contact point.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContactPoint {
    /// Nothing is known of the address.
    #[default]
    None,
    /// Something is.
    Known {
        /// The keyed hash of the address.
        address_hash: KeyedHash,
        /// The suppressions, each with its end if it has one. They may be over.
        suppressed: BTreeMap<Scope, Option<Stored<Moment>>>,
        /// The times of the last soft bounces.
        soft_bounces: Vec<Stored<Moment>>,
    },
}

impl ContactPoint {
    /// Whether no messages of this scope are sent to the address at this time.
    fn is_suppressed(&self, scope: Scope, now: Timestamp) -> bool {
        let mut ends = self.ends(scope);
        ends.any(|until| until.is_none_or(|until| now < **until))
    }

    /// Whether no messages of this scope are sent to the address until then anyway. Nothing that suppresses for longer is made
    /// shorter.
    fn is_suppressed_as_long(&self, scope: Scope, until: Option<Timestamp>) -> bool {
        self.ends(scope).any(|present| match (present, until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(present), Some(until)) => **present >= until,
        })
    }

    /// The ends of the suppressions by which no messages of this scope are sent, none where there is no end.
    fn ends(&self, scope: Scope) -> impl Iterator<Item = Option<&Stored<Moment>>> {
        let suppressed = match self {
            Self::None => None,
            Self::Known { suppressed, .. } => Some(suppressed),
        };
        let suppressed = suppressed.into_iter().flatten();
        let covering = suppressed.filter(move |(present, _)| present.covers(scope));
        covering.map(|(_, until)| until.as_ref())
    }

    /// How many soft bounces count at this time.
    fn soft_bounces(&self, now: Timestamp) -> usize {
        let Self::Known { soft_bounces, .. } = self else {
            return 0;
        };
        let counts = |at: &&Stored<Moment>| now - ***at < SOFT_BOUNCES_WITHIN;
        soft_bounces.iter().filter(counts).count()
    }

    fn know(&mut self, hash: &KeyedHash) {
        if matches!(self, Self::None) {
            *self = Self::Known {
                address_hash: hash.clone(),
                suppressed: BTreeMap::new(),
                soft_bounces: Vec::new(),
            };
        }
    }
}

impl AggregateState for ContactPoint {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        let (Event::SoftBounced { address_hash, .. }
        | Event::Suppressed { address_hash, .. }
        | Event::Released { address_hash, .. }) = event;
        self.know(address_hash);
        let Self::Known {
            suppressed,
            soft_bounces,
            ..
        } = self
        else {
            return;
        };
        match event {
            Event::SoftBounced { bounced_at, .. } => {
                soft_bounces.push(*bounced_at);
                let surplus = soft_bounces.len().saturating_sub(SOFT_BOUNCES_MAX);
                soft_bounces.drain(..surplus);
            }
            Event::Suppressed { scope, until, .. } => {
                suppressed.insert(*scope, *until);
                soft_bounces.clear();
            }
            Event::Released { .. } => {
                suppressed.clear();
                soft_bounces.clear();
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Known {
                address_hash,
                suppressed,
                soft_bounces,
            } => {
                let times = suppressed.len() + soft_bounces.len();
                address_hash.0.len() + times * size_of::<(Scope, Option<Stored<Moment>>)>()
            }
        }
    }
}

fn claim(address_hash: &KeyedHash) -> Claim {
    Claim::new(ClaimScope::ContactPoint, &address_hash.0)
}

/// Whether a message is not sent to an address now.
pub(super) fn is_suppressed(
    view: &View<'_>,
    address_hash: &KeyedHash,
    template: &Template,
) -> Result<bool, Stop> {
    let Some(id) = view.owner(&claim(address_hash))? else {
        return Ok(false);
    };
    let scope = if template.is_critical() {
        Scope::All
    } else {
        Scope::AllButCritical
    };
    let point = view.get::<ContactPoint>(id)?;
    Ok(point.is_suppressed(scope, view.now()))
}

/// The contact point of an address, and the write by which it is that from now on, if nothing is known of the address yet.
fn known(
    view: &View<'_>,
    address_hash: &KeyedHash,
    new_id: ContactPointId,
) -> Result<(ContactPointId, Vec<Write>), Stop> {
    let claim = claim(address_hash);
    Ok(match view.owner(&claim)? {
        Some(owner) => (ContactPointId(owner), Vec::new()),
        None => (new_id, vec![Write::Claim(claim, new_id.0)]),
    })
}

/// A message of which the recipient has complained.
pub(super) struct Complaint<'a> {
    /// The message.
    pub(super) message_id: MessageId,
    /// The keyed hash of the address that it was for.
    pub(super) address_hash: &'a KeyedHash,
    /// The id of the contact point, if nothing is known of the address yet.
    pub(super) new_id: ContactPointId,
}

impl Complaint<'_> {
    /// What follows for the address: until an operator releases it, it gets nothing but what must be told.
    pub(super) fn writes(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let (id, mut writes) = known(view, self.address_hash, self.new_id)?;
        let scope = Scope::AllButCritical;
        if view
            .get::<ContactPoint>(id.0)?
            .is_suppressed_as_long(scope, None)
        {
            return Ok(Vec::new());
        }
        let suppressed = Event::Suppressed {
            contact_point_id: id,
            address_hash: self.address_hash.clone(),
            message_id: self.message_id,
            scope,
            reason: Reason::Complaint,
            until: None,
        };
        writes.push(Write::event(id.0, suppressed));
        Ok(writes)
    }
}

/// A message that was refused.
pub(super) struct Refused<'a> {
    /// The message.
    pub(super) message_id: MessageId,
    /// The channel by which it was sent.
    pub(super) channel: Channel,
    /// The keyed hash of the address that it was for.
    pub(super) address_hash: &'a KeyedHash,
    /// The codes with which it was refused.
    pub(super) status: &'a Status,
    /// The id of the contact point, if nothing is known of the address yet.
    pub(super) new_id: ContactPointId,
}

impl Refused<'_> {
    /// What follows for the address.
    pub(super) fn writes(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let bounce = Bounce::of(self.channel, self.status);
        if bounce == Bounce::Policy {
            return Ok(Vec::new());
        }
        let (id, mut writes) = known(view, self.address_hash, self.new_id)?;
        let point = view.get::<ContactPoint>(id.0)?;
        let now = view.now();
        let until = match bounce {
            Bounce::Policy | Bounce::Soft => None,
            Bounce::Hard => Some((Reason::HardBounce, Some(now + AFTER_HARD_BOUNCE))),
            Bounce::Unsubscribed => Some((Reason::Unsubscribed, None)),
        };
        if let Some((reason, until)) = until {
            if point.is_suppressed_as_long(Scope::All, until) {
                return Ok(Vec::new());
            }
            writes.push(self.suppress(id, reason, until));
            return Ok(writes);
        }
        writes.push(Write::event(
            id.0,
            Event::SoftBounced {
                contact_point_id: id,
                address_hash: self.address_hash.clone(),
                message_id: self.message_id,
                status: self.status.clone().into(),
                bounced_at: Moment::nearest(now).into(),
            },
        ));
        // Nothing that suppresses for longer is made shorter.
        if point.soft_bounces(now) + 1 >= SOFT_BOUNCES_MAX && !point.is_suppressed(Scope::All, now)
        {
            writes.push(self.suppress(id, Reason::SoftBounces, Some(now + AFTER_SOFT_BOUNCES)));
        }
        Ok(writes)
    }

    fn suppress(&self, id: ContactPointId, reason: Reason, until: Option<Timestamp>) -> Write {
        Write::event(
            id.0,
            Event::Suppressed {
                contact_point_id: id,
                address_hash: self.address_hash.clone(),
                message_id: self.message_id,
                scope: Scope::All,
                reason,
                until: until.map(|until| Moment::nearest(until).into()),
            },
        )
    }
}

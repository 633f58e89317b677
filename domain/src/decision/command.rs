//! What a command is: an intent that decides, from what a view shows, what to write.

use tidemark_events::Event;
use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::refusal::Refusal;
use crate::decision::stop::Stop;
use crate::decision::view::View;

/// An intent, such as "place a bid".
pub trait Command: Send + Sync + 'static {
    /// The name in permissions, metrics and logs, such as `place_bid`.
    fn name(&self) -> &'static str;

    /// Every refusal that `decide` can give, with example values where a reason carries some. The description of
    /// the API lists them.
    fn refusals() -> Vec<Refusal>
    where
        Self: Sized;

    /// Streams that the decision will certainly read. They are loaded at once, with those of the caller; all others
    /// are found while it decides, one after the other.
    fn roots(&self) -> Vec<Uuid> {
        Vec::new()
    }

    /// Claims that nobody can own yet, because they are on the stream that the command makes. So they need not be
    /// loaded when a later command asks for their owner; the append of that one proves it.
    fn unowned(&self) -> Vec<Claim> {
        Vec::new()
    }

    /// Decides from what the view shows, and returns the writes in the order in which they happen.
    ///
    /// # Errors
    /// [`Stop::Load`] if the view lacks something, [`Stop::Refused`] if a rule forbids the command.
    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop>;
}

/// One thing that a decision asks the append to do.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all writes are events, for which a box would be one allocation more each"
)]
pub enum Write {
    /// Append the event to the stream.
    Event(Uuid, Event),
    /// Give the claim to the stream.
    Claim(Claim, Uuid),
    /// Take the claim from its owner, so that another stream may have it.
    Release(Claim),
}

impl Write {
    /// Appends an event of any aggregate to the stream `id`.
    pub fn event(id: Uuid, event: impl Into<Event>) -> Self {
        Self::Event(id, event.into())
    }
}

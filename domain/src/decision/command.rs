//! What a command is: an intent that decides, on what a view shows, what to write.

use tidemark_events::Event;
use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::stop::Stop;
use crate::decision::view::View;

/// An intent: decides, on what the view shows, which facts follow.
pub trait Command: Send + Sync + 'static {
    /// The name in permissions, metrics and logs, such as `place_bid`.
    fn name(&self) -> &'static str;

    /// The writes that follow, in order.
    ///
    /// # Errors
    /// [`Stop::Load`] if the view lacks something, [`Stop::Refused`] if a rule says no.
    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop>;
}

/// What a decision writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Appends a fact to a stream.
    Event(Uuid, Event),
    /// Takes a claim for a stream.
    Claim(Claim, Uuid),
    /// Gives a claim back.
    Release(Claim),
}

impl Write {
    /// A fact of stream `id`.
    pub fn event(id: Uuid, event: impl Into<Event>) -> Self {
        Self::Event(id, event.into())
    }
}

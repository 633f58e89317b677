//! Text budgets: how many segments of texts were asked for on one day, by all users together. Codes have a budget of their own, so
//! that whoever states many numbers keeps nobody's notifications from being sent. Whoever asks for a text reads the budget of the
//! day, and writes to it, so that the bound is exact: of two that ask at once, one is decided again. Segments count when they are
//! asked for, also those of texts that expire or are refused later.

use serde::{Deserialize, Serialize};
use tidemark_events::messaging::text_budget::Event;

use crate::AggregateState;

/// The state of a text budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextBudget {
    /// The segments that were asked for.
    pub(crate) segments: u32,
}

impl AggregateState for TextBudget {
    type Event = Event;

    const NONE: &'static Self = &Self { segments: 0 };
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        let Event::Spent { segments, .. } = event;
        self.segments = self.segments.saturating_add(*segments);
    }
}

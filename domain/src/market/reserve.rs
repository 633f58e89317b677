//! Hidden reserves. `auction` sets them, and bids and the close compare amounts with them; nobody is told
//! the amount.

use serde::{Deserialize, Serialize};
use tidemark_events::ReserveId;
use tidemark_events::market::reserve::Event;

use crate::{AggregateState, Stop, View};

/// The state of a hidden reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reserve {
    /// There is no reserve.
    #[default]
    None,
    /// The seller set a reserve.
    Set {
        /// The lowest price at which the auction sells, in minor units of the auction's currency.
        amount: i64,
    },
}

impl AggregateState for Reserve {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Set { amount, .. } => {
                *self = Self::Set {
                    amount: amount.amount,
                };
            }
        }
    }
}

/// Whether an amount, in minor units of the auction's currency, reaches the reserve. Every amount does
/// if there is no reserve.
pub(crate) fn is_met(view: &View<'_>, id: Option<ReserveId>, amount: i64) -> Result<bool, Stop> {
    let Some(id) = id else {
        return Ok(true);
    };
    Ok(match view.get::<Reserve>(id.0)? {
        Reserve::None => true,
        Reserve::Set { amount: reserve } => amount >= *reserve,
    })
}

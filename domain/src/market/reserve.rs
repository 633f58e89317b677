//! Hidden reserves: read by bids and by the close, told to nobody. `auction` sets them.

use serde::{Deserialize, Serialize};
use tidemark_events::ReserveId;
use tidemark_events::market::reserve::Event;

use crate::{AggregateState, Stop, View};

/// A hidden reserve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reserve {
    /// There is none.
    #[default]
    None,
    /// The seller set one.
    Set {
        /// The least that sells, in minor units of the auction's currency.
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

/// Whether the amount reaches the reserve; it does where there is none.
pub(crate) fn is_met(view: &View<'_>, id: Option<ReserveId>, amount: i64) -> Result<bool, Stop> {
    let Some(id) = id else {
        return Ok(true);
    };
    Ok(match view.get::<Reserve>(id.0)? {
        Reserve::None => true,
        Reserve::Set { amount: least } => amount >= *least,
    })
}

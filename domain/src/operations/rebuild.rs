//! Rebuilds: the record of what an operator had done to a generation of a read model.

use serde::{Deserialize, Serialize};
use tidemark_events::RebuildId;
use tidemark_events::operations::rebuild::{Event, Order, Reason};

use super::registered_name::RegisteredName;
use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a rebuild, which is empty: no rule needs to know of rebuilds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuild;

impl AggregateState for Rebuild {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Ordered { .. } => {}
        }
    }
}

/// Records what an operator orders about the generations of a read model. Only a service sends it: the operators'
/// tool, which then does it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The id of the new record.
    pub rebuild_id: RebuildId,
    /// The read model whose generations it is about.
    pub read_model: RegisteredName,
    /// What the operator orders.
    pub order: Order,
    /// The generation that is to be dropped, if that is the order.
    pub generation: Option<i32>,
    /// Why the operator orders it.
    pub reason: Reason,
}

impl Command for Record {
    fn name(&self) -> &'static str {
        "order_rebuild"
    }

    fn refusals() -> Vec<Refusal> {
        [
            access::service_refusals(),
            RegisteredName::refusals_of_read_models(),
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![Write::event(
            self.rebuild_id.0,
            Event::Ordered {
                rebuild_id: self.rebuild_id,
                read_model: self.read_model.require_read_model()?,
                order: self.order,
                generation: self.generation,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{REBUILD, SELLER, stated};

    use super::super::registered_name::tests::name;
    use super::*;
    use crate::given::{given, registered, writes_of};

    #[test]
    fn a_service_records_an_order_and_nobody_else_does() {
        let record = || Record {
            rebuild_id: REBUILD,
            read_model: name("auction"),
            order: Order::Drop,
            generation: Some(1),
            reason: stated("the fold was mended"),
        };
        let recorded = given([]).by_service().when(record());
        assert_eq!(recorded, Ok(writes_of(["rebuild.ordered"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(record());
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }
}

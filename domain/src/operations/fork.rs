//! Forks: the record that an operator had the log go on under a new timeline.

use serde::{Deserialize, Serialize};
use tidemark_events::ForkId;
use tidemark_events::operations::fork::Event;
use tidemark_events::operations::rebuild::Reason;

use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a fork, which is empty: no rule needs to know of forks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fork;

impl AggregateState for Fork {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Declared { .. } => {}
        }
    }
}

/// Has the log go on under a new timeline, which begins with the event of this command. Only a service sends it: the
/// operators' tool.
#[derive(Clone, Debug)]
pub struct Declare {
    /// The id of the new fork.
    pub fork_id: ForkId,
    /// The last position that both timelines share; `None` if that is the last one of the log.
    pub shared_up_to: Option<i64>,
    /// Why the operator declares it.
    pub reason: Reason,
}

impl Declare {
    /// The name of the command, which is the only one that a log takes that has lost events.
    pub const NAME: &str = "declare_fork";
}

impl Command for Declare {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn refusals() -> Vec<Refusal> {
        access::service_refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![Write::event(
            self.fork_id.0,
            Event::Declared {
                fork_id: self.fork_id,
                shared_up_to: self.shared_up_to,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{FORK, SELLER, stated};

    use super::*;
    use crate::given::{given, registered, writes_of};

    #[test]
    fn a_service_declares_a_fork_and_nobody_else_does() {
        let declare = || Declare {
            fork_id: FORK,
            shared_up_to: Some(42),
            reason: stated("the backup of Monday was restored"),
        };
        let declared = given([]).by_service().when(declare());
        assert_eq!(declared, Ok(writes_of(["fork.declared"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(declare());
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }
}

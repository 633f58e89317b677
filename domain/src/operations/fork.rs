//! Forks: the record that an operator had the log go on under a new timeline.

use serde::{Deserialize, Serialize};
use tidemark_events::ForkId;
use tidemark_events::operations::fork::Event;
use tidemark_events::operations::rebuild::Reason;

use super::log_position::LogPosition;
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
    pub shared_up_to: Option<LogPosition>,
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
        [access::service_refusals(), LogPosition::refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let in_log = |stated: LogPosition| stated.require_in_log("shared_up_to");
        Ok(vec![Write::event(
            self.fork_id.0,
            Event::Declared {
                fork_id: self.fork_id,
                shared_up_to: self.shared_up_to.map(in_log).transpose()?,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{FORK, SELLER, stated};

    use super::super::log_position;
    use super::*;
    use crate::given::{given, registered, writes_of};

    #[test]
    fn a_service_declares_a_fork_and_nobody_else_does() {
        let declared = given([]).by_service().when(declare(42));
        assert_eq!(declared, Ok(writes_of(["fork.declared"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(declare(42));
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }

    #[test]
    fn timelines_share_nothing_that_the_log_does_not_hold() {
        let refused = given([]).by_service().when(declare(41));
        let not_in_log = log_position::Error::NotInLog { log_end: 41 };
        let refusal = Refusal::from(not_in_log).about("shared_up_to");
        assert_eq!(refused, Err(refusal));
    }

    fn declare(log_end: i64) -> Declare {
        Declare {
            fork_id: FORK,
            shared_up_to: Some(LogPosition {
                stated: 42,
                log_end,
            }),
            reason: stated("the backup of Monday was restored"),
        }
    }
}

//! Retries: the record that an operator had a reactor try an action again, or never again.

use serde::{Deserialize, Serialize};
use tidemark_events::operations::rebuild::Reason;
use tidemark_events::operations::retry::{Event, Name};
use tidemark_events::{RetryId, Stored};

use super::log_position::LogPosition;
use super::registered_name::RegisteredName;
use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a retry, which is empty: no rule needs to know of retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry;

impl AggregateState for Retry {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Requested { .. } | Event::Dropped { .. } => {}
        }
    }
}

/// Records that an operator has an action tried again. Only a service sends it: the operators' tool, which then
/// lets the action be sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id of the new retry.
    pub retry_id: RetryId,
    /// The reactor whose action it is.
    pub reactor: RegisteredName,
    /// The position of the event that the action follows from.
    pub cause: LogPosition,
    /// What tells the action from others that follow from that event.
    pub target: Name,
    /// The refusal that had ended the action.
    pub refusal: Name,
    /// Why the operator has it tried again. A tool of the build before states none.
    pub reason: Option<Reason>,
}

impl Command for Request {
    fn name(&self) -> &'static str {
        "request_retry"
    }

    fn refusals() -> Vec<Refusal> {
        refusals_of_orders()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let (reactor, cause_position) = action(&self.reactor, self.cause)?;
        Ok(vec![Write::event(
            self.retry_id.0,
            Event::Requested {
                retry_id: self.retry_id,
                reactor,
                cause_position,
                target: self.target.clone().into(),
                refusal: self.refusal.clone().into(),
                reason: self.reason.clone().map(Into::into),
            },
        )])
    }
}

/// What names an action: the reactor, and the position of the event that it follows from.
fn action(reactor: &RegisteredName, cause: LogPosition) -> Result<(Stored<Name>, i64), Stop> {
    let cause = cause.require_in_log("cause_position");
    Stop::both(reactor.require_reactor(), cause)
}

fn refusals_of_orders() -> Vec<Refusal> {
    [
        access::service_refusals(),
        RegisteredName::refusals_of_reactors(),
        LogPosition::refusals(),
    ]
    .concat()
}

/// Records that an operator drops an action, which is not tried again. Only a service sends it: the operators' tool, which
/// then ends the action.
#[derive(Clone, Debug)]
pub struct DropAction {
    /// The id of the new record.
    pub retry_id: RetryId,
    /// The reactor whose action it is.
    pub reactor: RegisteredName,
    /// The position of the event that the action follows from.
    pub cause: LogPosition,
    /// What tells the action from others that follow from that event.
    pub target: Name,
    /// Why the operator drops it.
    pub reason: Reason,
}

impl Command for DropAction {
    fn name(&self) -> &'static str {
        "drop_action"
    }

    fn refusals() -> Vec<Refusal> {
        refusals_of_orders()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let (reactor, cause_position) = action(&self.reactor, self.cause)?;
        Ok(vec![Write::event(
            self.retry_id.0,
            Event::Dropped {
                retry_id: self.retry_id,
                reactor,
                cause_position,
                target: self.target.clone().into(),
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{RETRY, SELLER, stated};

    use super::super::registered_name::tests::name;
    use super::*;
    use crate::given::{given, registered, writes_of};

    const CAUSE: LogPosition = LogPosition {
        stated: 42,
        log_end: 42,
    };

    #[test]
    fn a_service_records_a_retry_and_nobody_else_does() {
        let request = || Request {
            retry_id: RETRY,
            reactor: name("auction-timer"),
            cause: CAUSE,
            target: stated("close"),
            refusal: stated("409 auction_over"),
            reason: Some(stated("The command API refused in error.")),
        };
        let recorded = given([]).by_service().when(request());
        assert_eq!(recorded, Ok(writes_of(["retry.requested"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(request());
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }

    #[test]
    fn a_service_records_a_drop_and_nobody_else_does() {
        let drop_action = || DropAction {
            retry_id: RETRY,
            reactor: name("auction-timer"),
            cause: CAUSE,
            target: stated("close"),
            reason: stated("The auction was closed by hand."),
        };
        let recorded = given([]).by_service().when(drop_action());
        assert_eq!(recorded, Ok(writes_of(["retry.dropped"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(drop_action());
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }
    #[test]
    fn an_unknown_reactor_and_a_position_of_the_future_are_told_together() {
        let request = Request {
            retry_id: RETRY,
            reactor: name("auction-clock"),
            cause: LogPosition {
                stated: 43,
                log_end: 42,
            },
            target: stated("close"),
            refusal: stated("409 auction_over"),
            reason: None,
        };
        let refused = given([]).by_service().when(request).unwrap_err();
        assert_eq!(refused.code.name, "unknown_reactor");
        let fields: Vec<_> = refused.faults().map(|it| it.field).collect();
        assert_eq!(fields, ["reactor", "cause_position"]);
    }
}

//! Repairs: the record of what an operator did about a row that is parked or wrong.

use serde::{Deserialize, Serialize};
use tidemark_events::RepairId;
use tidemark_events::operations::rebuild::Reason;
use tidemark_events::operations::repair::{Event, RowId};

use super::log_position::LogPosition;
use super::registered_name::RegisteredName;
use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a repair, which is empty: no rule needs to know of repairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair;

impl AggregateState for Repair {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::RetryRequested { .. }
            | Event::SkipRequested { .. }
            | Event::RebuildRequested { .. } => {}
        }
    }
}

/// What is done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It is tried to make the parked row again, which lacks the event at this position first.
    Retry(LogPosition),
    /// The parked row goes on without the event at this position, the first that it lacks.
    Skip(LogPosition),
    /// The row is made anew from all of its events.
    Rebuild,
}

/// Records what an operator does about a row. Only a service sends it: the operators' tool, which then does it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id of the new repair.
    pub repair_id: RepairId,
    /// The read model of the row.
    pub read_model: RegisteredName,
    /// The id of the row.
    pub row_id: RowId,
    /// What is done.
    pub remedy: Remedy,
    /// Why the operator wants it.
    pub reason: Reason,
}

impl Command for Request {
    fn name(&self) -> &'static str {
        "request_repair"
    }

    fn refusals() -> Vec<Refusal> {
        [
            access::service_refusals(),
            RegisteredName::refusals_of_read_models(),
            LogPosition::refusals(),
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let (repair_id, row_id) = (self.repair_id, self.row_id);
        let stated = match self.remedy {
            Remedy::Retry(position) | Remedy::Skip(position) => Some(position),
            Remedy::Rebuild => None,
        };
        let position = stated.map_or(Ok(0), |it| it.require_in_log("position"));
        let (read_model, position) = Stop::both(self.read_model.require_read_model(), position)?;
        let reason = self.reason.clone().into();
        let event = match self.remedy {
            Remedy::Retry(_) => Event::RetryRequested {
                repair_id,
                read_model,
                row_id,
                position,
                reason,
            },
            Remedy::Skip(_) => Event::SkipRequested {
                repair_id,
                read_model,
                row_id,
                position,
                reason,
            },
            Remedy::Rebuild => Event::RebuildRequested {
                repair_id,
                read_model,
                row_id,
                reason,
            },
        };
        Ok(vec![Write::event(repair_id.0, event)])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{AUCTION, REPAIR, SELLER, stated};

    use super::super::registered_name::tests::name;
    use super::*;
    use crate::given::{given, registered, writes_of};

    const PARKED_AT: LogPosition = LogPosition {
        stated: 42,
        log_end: 42,
    };

    #[test]
    fn a_service_records_a_repair_and_nobody_else_does() {
        let request = |remedy| Request {
            repair_id: REPAIR,
            read_model: name("auction"),
            row_id: RowId(AUCTION.0),
            remedy,
            reason: stated("It was a test."),
        };
        let when = |remedy| given([]).by_service().when(request(remedy));
        let retried = Ok(writes_of(["repair.retry_requested"]));
        assert_eq!(when(Remedy::Retry(PARKED_AT)), retried);
        let skipped = Ok(writes_of(["repair.skip_requested"]));
        assert_eq!(when(Remedy::Skip(PARKED_AT)), skipped);
        let rebuilt = Ok(writes_of(["repair.rebuild_requested"]));
        assert_eq!(when(Remedy::Rebuild), rebuilt);
        let by_user = given([registered(SELLER)]).by(SELLER);
        let by_user = by_user.when(request(Remedy::Skip(PARKED_AT)));
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }
}

//! Readings: putting on record that an auditor looks at history.

use serde::{Deserialize, Serialize};
use tidemark_events::audit::reading::{Event, Scope};
use tidemark_events::identity::user::Role;
use tidemark_events::{ReadingId, UserId};

use crate::identity::access;
use crate::{AggregateState, Command, Stop, View, Write};

/// A reading. No rule asks for it once it is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading;

impl AggregateState for Reading {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Recorded { .. } => {}
        }
    }
}

/// Records a page of history before an auditor sees it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The new reading.
    pub reading_id: ReadingId,
    /// Who reads; an auditor at this very moment, whatever their access token still says.
    pub reader_id: UserId,
    /// What.
    pub scope: Scope,
}

impl Command for Record {
    fn name(&self) -> &'static str {
        "record_reading"
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let reader_id = access::require_of(view, self.reader_id, Role::Auditor)?;
        Ok(vec![Write::event(
            self.reading_id.0,
            Event::Recorded {
                reading_id: self.reading_id,
                reader_id,
                scope: self.scope.clone(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event as AnyEvent;
    use tidemark_events::samples::BIDDER;

    use super::*;
    use crate::given::{given, granted, joined, sample, writes_of};

    fn record() -> Record {
        let AnyEvent::Reading(Event::Recorded {
            reading_id,
            reader_id,
            scope,
        }) = sample("reading.recorded")
        else {
            panic!("not a reading")
        };
        Record {
            reading_id,
            reader_id,
            scope,
        }
    }

    #[test]
    fn services_record_what_auditors_read() {
        let auditor = || given([joined(BIDDER), granted(BIDDER, Role::Auditor)]);
        assert_eq!(
            auditor().by_service().when(record()),
            Ok(writes_of(["reading.recorded"]))
        );
        let themselves = auditor().by(BIDDER).when(record());
        assert_eq!(themselves, Err(access::Error::Service.into()));
    }

    #[test]
    fn nobody_else_reads() {
        let buyer = given([joined(BIDDER)]).by_service().when(record());
        assert_eq!(buyer, Err(access::Error::Role(Role::Auditor).into()));
    }
}

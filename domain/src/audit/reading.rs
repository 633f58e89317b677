//! Readings: the record that an auditor looked at history.

use serde::{Deserialize, Serialize};
use tidemark_events::audit::reading::{Event, Scope};
use tidemark_events::identity::user::Role;
use tidemark_events::{ReadingId, SessionId, UserId};
use uuid::Uuid;

use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a reading, which is empty: no rule needs to know of readings.
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

/// Records that an auditor is about to see a page of history. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Record {
    /// The id of the new reading.
    pub reading_id: ReadingId,
    /// The user who reads. They must be an auditor now, whatever their access token says.
    pub reader_id: UserId,
    /// The session in which the user reads. It must go on.
    pub session_id: SessionId,
    /// What the auditor asked for.
    pub scope: Scope,
}

impl Command for Record {
    fn name(&self) -> &'static str {
        "record_reading"
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.session_id.0, self.reader_id.0]
    }

    fn refusals() -> Vec<Refusal> {
        let reader = access::role_refusals(Role::Auditor);
        [access::service_refusals(), reader].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let reader_id = access::require_of(view, self.reader_id, self.session_id, Role::Auditor)?;
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
    use tidemark_events::samples::{BIDDER, SESSION};

    use super::*;
    use crate::given::{given, granted, logged_in, registered, sample, writes_of};

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
            session_id: SESSION,
            scope,
        }
    }

    #[test]
    fn a_service_records_what_an_auditor_reads() {
        let auditor = || given([registered(BIDDER), granted(BIDDER, Role::Auditor)]);
        let reading = || auditor().and([logged_in(BIDDER, SESSION)]);
        assert_eq!(
            reading().by_service().when(record()),
            Ok(writes_of(["reading.recorded"]))
        );
        let themselves = reading().by(BIDDER).when(record());
        assert_eq!(themselves, Err(access::Error::Service.into()));
        let logged_out = auditor().by_service().when(record());
        assert_eq!(logged_out, Err(access::Error::LoggedOut.into()));
    }

    #[test]
    fn a_user_who_is_no_auditor_cannot_read() {
        let buyer = given([registered(BIDDER), logged_in(BIDDER, SESSION)])
            .by_service()
            .when(record());
        assert_eq!(buyer, Err(access::Error::Role(Role::Auditor).into()));
    }
}

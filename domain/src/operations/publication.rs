//! Publications: the record that an operator told the relay how to go on publishing the log.

use serde::{Deserialize, Serialize};
use tidemark_events::PublicationId;
use tidemark_events::operations::publication::Event;
use tidemark_events::operations::rebuild::Reason;

use super::log_position::LogPosition;
use crate::identity::access;
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a publication, which is empty: no rule needs to know of publications.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication;

impl AggregateState for Publication {
    type Event = Event;

    const NONE: &'static Self = &Self;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Adopted { .. } | Event::Repeated { .. } => {}
        }
    }
}

/// Has the topics keep what they hold, also what this log does not hold, and the relay go on behind it. Only a service
/// sends it: the operators' tool.
#[derive(Clone, Debug)]
pub struct Adopt {
    /// The id of the new publication.
    pub publication_id: PublicationId,
    /// Why the operator orders it.
    pub reason: Reason,
}

impl Command for Adopt {
    fn name(&self) -> &'static str {
        "adopt_topics"
    }

    fn refusals() -> Vec<Refusal> {
        access::service_refusals()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![Write::event(
            self.publication_id.0,
            Event::Adopted {
                publication_id: self.publication_id,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

/// Has the relay publish the log again, behind what the topics hold. Only a service sends it: the operators' tool.
#[derive(Clone, Debug)]
pub struct Republish {
    /// The id of the new publication.
    pub publication_id: PublicationId,
    /// The position of the first event that is published again.
    pub from: LogPosition,
    /// Why the operator orders it.
    pub reason: Reason,
}

impl Command for Republish {
    fn name(&self) -> &'static str {
        "republish_log"
    }

    fn refusals() -> Vec<Refusal> {
        [access::service_refusals(), LogPosition::refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        Ok(vec![Write::event(
            self.publication_id.0,
            Event::Repeated {
                publication_id: self.publication_id,
                from_position: self.from.require_in_log("from_position")?,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{PUBLICATION, SELLER, stated};

    use super::super::log_position;
    use super::*;
    use crate::given::{given, registered, writes_of};

    #[test]
    fn a_service_adopts_topics_and_nobody_else_does() {
        let adopt = || Adopt {
            publication_id: PUBLICATION,
            reason: stated("the backup of Monday was restored"),
        };
        let adopted = given([]).by_service().when(adopt());
        assert_eq!(adopted, Ok(writes_of(["publication.adopted"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(adopt());
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }

    #[test]
    fn a_service_republishes_the_log_and_nobody_else_does() {
        let repeated = given([]).by_service().when(republish(42));
        assert_eq!(repeated, Ok(writes_of(["publication.repeated"])));
        let by_user = given([registered(SELLER)]).by(SELLER).when(republish(41));
        assert_eq!(by_user, Err(access::Error::Service.into()));
    }

    #[test]
    fn what_the_log_does_not_hold_yet_is_not_published_again() {
        let refused = given([]).by_service().when(republish(41));
        let not_in_log = log_position::Error::NotInLog { log_end: 41 };
        let refusal = Refusal::from(not_in_log).about("from_position");
        assert_eq!(refused, Err(refusal));
    }

    fn republish(log_end: i64) -> Republish {
        Republish {
            publication_id: PUBLICATION,
            from: LogPosition {
                stated: 42,
                log_end,
            },
            reason: stated("a topic had lost records"),
        }
    }
}

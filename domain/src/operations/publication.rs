//! Publications: the record that an operator told the relay how to go on publishing the log.

use serde::{Deserialize, Serialize};
use tidemark_events::PublicationId;
use tidemark_events::operations::publication::Event;
use tidemark_events::operations::rebuild::Reason;

use crate::decision::refusals;
use crate::identity::access;
use crate::{AggregateState, Code, Command, Refusal, RefusalKind, Stop, View, Write};

/// Why a command about the relay is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log has no event yet at the position from which it is to be published again.
    #[error("the log ends before this position, at {log_end}")]
    FuturePosition {
        /// The last position of the log.
        log_end: i64,
    },
}

impl crate::Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::FuturePosition { .. } => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::FuturePosition { .. } => Code {
                name: "position_not_in_log",
                meaning: "The log holds no event yet at the position from which it is to be published again.",
                what_to_do: "State a position of the log: `detail` says where it ends.",
            },
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::FuturePosition { .. } => Some("from_position"),
        }
    }
}

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
    pub from_position: i64,
    /// A position that the log has reached.
    pub log_end: i64,
    /// Why the operator orders it.
    pub reason: Reason,
}

impl Command for Republish {
    fn name(&self) -> &'static str {
        "republish_log"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::FuturePosition { log_end: 4_710 }]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let log_end = self.log_end;
        if self.from_position > log_end {
            return Err(Error::FuturePosition { log_end }.into());
        }
        Ok(vec![Write::event(
            self.publication_id.0,
            Event::Repeated {
                publication_id: self.publication_id,
                from_position: self.from_position,
                reason: self.reason.clone().into(),
            },
        )])
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{PUBLICATION, SELLER, stated};

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
        assert_eq!(refused, Err(Error::FuturePosition { log_end: 41 }.into()));
    }

    fn republish(log_end: i64) -> Republish {
        Republish {
            publication_id: PUBLICATION,
            from_position: 42,
            log_end,
            reason: stated("a topic had lost records"),
        }
    }
}

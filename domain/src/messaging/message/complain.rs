//! How it is put on record that a recipient has complained of a mail, by which nothing more is sent there that need not be told.

use tidemark_events::messaging::message::Event;
use tidemark_events::{ContactPointId, MessageId};

use super::Error;
use super::end::out;
use crate::decision::refusals;
use crate::identity::access;
use crate::messaging::contact_point::Complaint;
use crate::{Command, Refusal, Stop, View, Write};

/// Records that the recipient has complained of a mail. Only a service sends it: the one to which the report came.
#[derive(Clone, Debug)]
pub struct Complain {
    /// The message.
    pub message_id: MessageId,
    /// The id of the contact point of the address, if there is none yet.
    pub contact_point_id: ContactPointId,
}

impl Command for Complain {
    fn name(&self) -> &'static str {
        "record_complaint"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::NotOut]);
        [access::service_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let message = out(view, self.message_id)?;
        let complained = Event::Complained {
            message_id: self.message_id,
        };
        let mut writes = vec![Write::event(self.message_id.0, complained)];
        if let Some(address_hash) = message.to_hash() {
            let complaint = Complaint {
                message_id: self.message_id,
                address_hash,
                new_id: self.contact_point_id,
            };
            writes.extend(complaint.writes(view)?);
        }
        Ok(writes)
    }
}

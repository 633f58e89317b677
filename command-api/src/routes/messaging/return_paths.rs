//! The mail that a return path is of, as the reports of mail servers name it.

use tidemark_event_store::{LookupKey, ReturnPath};
use tidemark_events::MessageId;
use uuid::Uuid;

/// The message of a return path. One that no mail of this deployment had is of the nil id, which no message has.
pub(super) fn message_at(return_path: &str, lookup_key: &LookupKey) -> MessageId {
    let read = ReturnPath::read(return_path, lookup_key);
    read.map_or(MessageId(Uuid::nil()), |it| it.message_id)
}

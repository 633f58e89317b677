//! What an append writes and what it checks, in groups of commands.

use tidemark_events::Encoded;
use uuid::Uuid;

use crate::{RecordId, SubjectKey};

/// A claim as a decision knew it or as it shall be: its scope, its key, and the stream that owns it
/// (`None`: no stream does).
pub type ClaimOwner = (&'static str, String, Option<Uuid>);

/// Commands that are written together or not at all, and everything that their decisions rested on.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The events to append, in their order.
    pub events: Vec<NewEvent>,
    /// The streams that were read or are written, with the version that each has before this batch
    /// (0: the stream has no events).
    pub streams: Vec<(Uuid, i64)>,
    /// Those of which the executor knows that they had this version when the log ended at
    /// [`Conditions::known_head`](super::Conditions::known_head): they are looked up only if it does not end there any more.
    pub known_streams: Vec<(Uuid, i64)>,
    /// The claims that were read, with the owner that each has before this batch.
    pub claims_read: Vec<ClaimOwner>,
    /// The claims to write, each at most once, with the owner that each gets.
    pub claims_written: Vec<ClaimOwner>,
    /// The idempotency records of the commands. None of them may exist yet.
    pub idempotency_records: Vec<NewIdempotencyRecord>,
    /// The subject keys that the events need.
    pub subject_keys: Vec<SubjectKeyUse>,
}

impl Group {
    /// Whether the group is one command, or several of which one has a key, without claims and subject keys.
    pub(super) fn is_plain(&self) -> bool {
        self.claims_read.is_empty()
            && self.claims_written.is_empty()
            && self.subject_keys.is_empty()
            && match self.idempotency_records.as_slice() {
                [] => true,
                [record] => record.status.is_some() && record.last_event == Some(0),
                _ => false,
            }
    }
}

/// An event to append.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The id of the event, a UUIDv7.
    pub event_id: Uuid,
    /// The stream that the event belongs to.
    pub stream_id: Uuid,
    /// The version that the stream has after the event.
    pub version: i64,
    /// The name of the stream's aggregate.
    pub aggregate: &'static str,
    /// Type, schema version and data of the event.
    pub encoded: Encoded,
    /// Who caused the event and why, as JSON text.
    pub metadata: String,
}

/// The idempotency record of a command. It must not exist yet, and it is written unless the command
/// was refused.
#[derive(Clone, Debug)]
pub struct NewIdempotencyRecord {
    /// Which command it is of.
    pub id: RecordId,
    /// The principal and the `Idempotency-Key` of a service, which may be a reactor that sends the command again
    /// after a long time.
    pub service_key: Option<(String, String)>,
    /// The HMAC-SHA-256 of the request.
    pub request_hash: Vec<u8>,
    /// The HTTP status of the answer; `None` if the command was refused, which leaves no record.
    pub status: Option<i16>,
    /// The stream that the answer names.
    pub stream_id: Uuid,
    /// The version of that stream after the command.
    pub version: i64,
    /// The index of the command's last event in [`Group::events`]; `None` if it has no event.
    pub last_event: Option<usize>,
}

/// A subject's key that sealed values of a group need.
#[derive(Clone, Debug)]
pub struct SubjectKeyUse {
    /// The person whose key it is.
    pub subject: Uuid,
    /// The number of the key among the subject's keys.
    pub version: i32,
    /// The wrapped key if it is new and must be stored; `None` if it must exist already.
    pub wrapped: Option<Vec<u8>>,
}

impl SubjectKeyUse {
    /// A key that exists, and must not be destroyed before the append.
    #[must_use]
    pub fn of(key: &SubjectKey) -> Self {
        Self {
            subject: key.subject().0,
            version: key.version(),
            wrapped: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(status: Option<i16>, last_event: Option<usize>) -> NewIdempotencyRecord {
        NewIdempotencyRecord {
            id: RecordId(Uuid::nil()),
            service_key: None,
            request_hash: Vec::new(),
            status,
            stream_id: Uuid::nil(),
            version: 1,
            last_event,
        }
    }

    #[test]
    fn a_group_with_anything_besides_one_commands_event_is_not_plain() {
        let with = |records: &[NewIdempotencyRecord]| Group {
            idempotency_records: records.to_vec(),
            ..Group::default()
        };
        let accepted = record(Some(201), Some(0));
        assert!(with(&[]).is_plain());
        assert!(with(std::slice::from_ref(&accepted)).is_plain());
        for records in [
            vec![accepted.clone(), accepted.clone()],
            vec![record(None, None)],
            vec![record(Some(201), Some(1))],
        ] {
            assert!(!with(&records).is_plain(), "{records:?}");
        }
        let claim = || ("email", "a".to_owned(), None);
        let subject_key = SubjectKeyUse {
            subject: Uuid::nil(),
            version: 1,
            wrapped: None,
        };
        for group in [
            Group {
                claims_read: vec![claim()],
                ..Group::default()
            },
            Group {
                claims_written: vec![claim()],
                ..Group::default()
            },
            Group {
                subject_keys: vec![subject_key],
                ..Group::default()
            },
        ] {
            assert!(!group.is_plain(), "{group:?}");
        }
    }
}

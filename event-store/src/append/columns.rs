//! Groups as the parallel arrays that the SQL function `append` takes.

use uuid::Uuid;

use super::group::{ClaimOwner, Group, NewEvent, NewIdempotencyRecord, SubjectKeyUse};

/// The groups of a batch, one set of arrays for each kind of thing. Each comment names the prefix of
/// the parameters of `append` that take the set.
#[derive(Default)]
pub(super) struct Columns {
    /// `e_`
    pub(super) events: Events,
    /// `s_`
    pub(super) streams: Streams,
    /// `c_`
    pub(super) claims_read: Claims,
    /// `w_`
    pub(super) claims_written: Claims,
    /// `i_`
    pub(super) idempotency_records: IdempotencyRecords,
    /// `k_`
    pub(super) subject_keys: SubjectKeys,
}

/// In each set, the arrays have the same length, and `group` is the index of the group in the batch.
#[derive(Default)]
pub(super) struct Events {
    pub(super) group: Vec<i32>,
    pub(super) id: Vec<Uuid>,
    pub(super) stream: Vec<Uuid>,
    pub(super) version: Vec<i64>,
    pub(super) aggregate: Vec<String>,
    pub(super) event_type: Vec<String>,
    pub(super) schema: Vec<i16>,
    pub(super) data: Vec<String>,
    pub(super) metadata: Vec<String>,
}

#[derive(Default)]
pub(super) struct Streams {
    pub(super) group: Vec<i32>,
    pub(super) stream: Vec<Uuid>,
    pub(super) version: Vec<i64>,
    /// How many of them, from the first, are looked up in any case.
    pub(super) checked: i32,
}

#[derive(Default)]
pub(super) struct Claims {
    pub(super) group: Vec<i32>,
    pub(super) scope: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) owner: Vec<Option<Uuid>>,
}

#[derive(Default)]
pub(super) struct IdempotencyRecords {
    pub(super) group: Vec<i32>,
    pub(super) id: Vec<Uuid>,
    pub(super) principal: Vec<Option<String>>,
    pub(super) key: Vec<Option<String>>,
    pub(super) hash: Vec<Vec<u8>>,
    pub(super) status: Vec<Option<i16>>,
    pub(super) stream: Vec<Uuid>,
    pub(super) version: Vec<i64>,
    /// The place of the command's last event among all events of the batch, counted from 1.
    pub(super) last_event: Vec<Option<i32>>,
}

#[derive(Default)]
pub(super) struct SubjectKeys {
    pub(super) group: Vec<i32>,
    pub(super) subject: Vec<Uuid>,
    pub(super) version: Vec<i32>,
    pub(super) wrapped: Vec<Option<Vec<u8>>>,
}

impl From<Vec<Group>> for Columns {
    fn from(groups: Vec<Group>) -> Self {
        let mut columns = Self::default();
        for (index, group) in (0..).zip(&groups) {
            columns.streams.add(index, &group.streams);
        }
        columns.streams.checked = i32::try_from(columns.streams.group.len()).unwrap_or(i32::MAX);
        for (index, group) in (0..).zip(groups) {
            columns.streams.add(index, &group.known_streams);
            columns.add(index, group);
        }
        columns
    }
}

impl Columns {
    fn add(&mut self, index: i32, group: Group) {
        let events_before = self.events.id.len();
        for event in group.events {
            self.events.add(index, event);
        }
        for claim in group.claims_read {
            self.claims_read.add(index, claim);
        }
        for claim in group.claims_written {
            self.claims_written.add(index, claim);
        }
        for record in group.idempotency_records {
            self.idempotency_records.add(index, events_before, record);
        }
        for key in group.subject_keys {
            self.subject_keys.add(index, key);
        }
    }
}

impl Events {
    fn add(&mut self, group: i32, event: NewEvent) {
        self.group.push(group);
        self.id.push(event.event_id);
        self.stream.push(event.stream_id);
        self.version.push(event.version);
        self.aggregate.push(event.aggregate.to_owned());
        self.event_type.push(event.encoded.event_type);
        self.schema.push(event.encoded.schema_version);
        self.data.push(event.encoded.data);
        self.metadata.push(event.metadata);
    }
}

impl Streams {
    fn add(&mut self, group: i32, streams: &[(Uuid, i64)]) {
        for (stream, version) in streams {
            self.group.push(group);
            self.stream.push(*stream);
            self.version.push(*version);
        }
    }
}

impl Claims {
    fn add(&mut self, group: i32, (scope, key, owner): ClaimOwner) {
        self.group.push(group);
        self.scope.push(scope.to_owned());
        self.key.push(key);
        self.owner.push(owner);
    }
}

impl IdempotencyRecords {
    fn add(&mut self, group: i32, events_before: usize, record: NewIdempotencyRecord) {
        let last_event = record
            .last_event
            .and_then(|index| i32::try_from(events_before + index + 1).ok());
        let (principal, key) = record.service_key.unzip();
        self.group.push(group);
        self.id.push(record.id.0);
        self.principal.push(principal);
        self.key.push(key);
        self.hash.push(record.request_hash);
        self.status.push(record.status);
        self.stream.push(record.stream_id);
        self.version.push(record.version);
        self.last_event.push(last_event);
    }
}

impl SubjectKeys {
    fn add(&mut self, group: i32, key: SubjectKeyUse) {
        self.group.push(group);
        self.subject.push(key.subject);
        self.version.push(key.version);
        self.wrapped.push(key.wrapped);
    }
}

//! Groups as the parallel arrays that the append function takes.

use uuid::Uuid;

use super::{Group, NewEvent, NewIdempotencyRecord};

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
}

#[derive(Default)]
pub(super) struct Claims {
    pub(super) group: Vec<i32>,
    pub(super) scope: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) owner: Vec<Option<Uuid>>,
}

#[derive(Default)]
pub(super) struct Records {
    pub(super) group: Vec<i32>,
    pub(super) principal: Vec<String>,
    pub(super) key: Vec<String>,
    pub(super) hash: Vec<Vec<u8>>,
    pub(super) status: Vec<Option<i16>>,
    pub(super) stream: Vec<Uuid>,
    pub(super) version: Vec<i64>,
    pub(super) event: Vec<Option<i32>>,
}

#[derive(Default)]
pub(super) struct SubjectKeys {
    pub(super) group: Vec<i32>,
    pub(super) subject: Vec<Uuid>,
    pub(super) version: Vec<i32>,
    pub(super) wrapped: Vec<Option<Vec<u8>>>,
}

/// The groups as the parallel arrays that the function takes, named by its prefixes.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) e: Events,
    pub(super) s: Streams,
    pub(super) c: Claims,
    pub(super) w: Claims,
    pub(super) i: Records,
    pub(super) k: SubjectKeys,
}

impl From<Vec<Group>> for Columns {
    fn from(groups: Vec<Group>) -> Self {
        let mut columns = Self::default();
        for (place, group) in (0..).zip(groups) {
            columns.add(place, group);
        }
        columns
    }
}

impl Columns {
    fn add(&mut self, place: i32, group: Group) {
        let events_before = self.e.id.len();
        for event in group.events {
            self.e.add(place, event);
        }
        for (stream, version) in group.streams {
            self.s.group.push(place);
            self.s.stream.push(stream);
            self.s.version.push(version);
        }
        for claim in group.claims_read {
            self.c.add(place, claim);
        }
        for claim in group.claims_written {
            self.w.add(place, claim);
        }
        for record in group.records {
            self.i.add(place, events_before, record);
        }
        for key in group.keys {
            self.k.group.push(place);
            self.k.subject.push(key.subject);
            self.k.version.push(key.version);
            self.k.wrapped.push(key.wrapped);
        }
    }
}

impl Events {
    fn add(&mut self, place: i32, event: NewEvent) {
        self.group.push(place);
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

impl Claims {
    fn add(&mut self, place: i32, (scope, key, owner): (&'static str, String, Option<Uuid>)) {
        self.group.push(place);
        self.scope.push(scope.to_owned());
        self.key.push(key);
        self.owner.push(owner);
    }
}

impl Records {
    fn add(&mut self, place: i32, events_before: usize, record: NewIdempotencyRecord) {
        self.group.push(place);
        self.principal.push(record.principal);
        self.key.push(record.key);
        self.hash.push(record.request_hash);
        self.status.push(record.status);
        self.stream.push(record.stream_id);
        self.version.push(record.version);
        // Places count from 1 over the whole batch.
        self.event.push(
            record
                .last_event
                .and_then(|event| i32::try_from(events_before + event + 1).ok()),
        );
    }
}

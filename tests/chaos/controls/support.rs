//! What stand-ins are made of: a log in memory, a Postgres, and evidence for the counters.

use chrono::{DateTime, TimeDelta};
use rand::RngExt;
use rand::rngs::StdRng;
use tidemark_events::market::category;
use tidemark_events::{Actor, CategoryId, Event, Metadata, Recorded};
use tidemark_tests::records::Records;
use tidemark_tests::replay::Rows;
use uuid::Uuid;

use super::World;
use crate::check::Evidence;
use crate::check::evidence::Model;
use crate::faults::Topics;
use crate::servers::{Options, Postgres};
use crate::stack::until;
use crate::supervisor::Supervisor;

/// A log of so many facts about as many categories.
pub(super) fn log(rng: &mut StdRng, length: i64) -> Vec<Recorded> {
    (1..=length)
        .map(|position| recorded(rng, position))
        .collect()
}

/// A fact at a position.
pub(super) fn recorded(rng: &mut StdRng, position: i64) -> Recorded {
    let stream_id = id(rng);
    let event: Event = category::Event::Activated {
        category_id: CategoryId(stream_id),
    }
    .into();
    let encoded = event.encode().unwrap();
    Recorded {
        position,
        event_id: id(rng),
        stream_id,
        version: 1,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: metadata(id(rng)),
        recorded_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(position),
    }
}

pub(super) fn metadata(correlation_id: Uuid) -> String {
    let metadata = Metadata {
        actor: Actor::Service("control".to_owned()),
        correlation_id,
        causation_id: None,
        traceparent: None,
    };
    serde_json::to_string(&metadata).unwrap()
}

pub(super) fn id(rng: &mut StdRng) -> Uuid {
    Uuid::from_u128(rng.random())
}

/// A Postgres, ready; without our roles and tables.
pub(super) async fn postgres(
    world: &World,
    supervisor: &Supervisor,
    options: &Options,
) -> Postgres {
    let World {
        machine, directory, ..
    } = world;
    let postgres = Postgres::start(supervisor, "postgres", machine, directory, options);
    until("Postgres", || postgres.is_ready()).await;
    postgres
}

/// What the counters look at, where there are only a log and one read model.
pub(super) fn evidence(
    log: Vec<Recorded>,
    name: &'static str,
    replayed: Rows,
    rows: Rows,
    documents: Option<Rows>,
) -> Evidence {
    Evidence {
        lines: Vec::new(),
        log,
        topics: Topics::Exact,
        records: Records::new(),
        models: vec![Model {
            name,
            replayed,
            rows,
            documents,
            unlike: Vec::new(),
        }],
        checkpoints: Vec::new(),
        behind: Vec::new(),
    }
}

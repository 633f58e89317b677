//! What stand-ins are made of: a log in memory, a Postgres, and data for the invariants to check.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use rand::RngExt;
use rand::rngs::StdRng;
use tidemark_events::market::category;
use tidemark_events::{Actor, CategoryId, Event, Metadata, Recorded};
use tidemark_tests::records::Records;
use tidemark_tests::replay::Rows;
use uuid::Uuid;

use super::Setup;
use crate::invariants::Observed;
use crate::invariants::observed::ObservedReadModel;
use crate::invariants::topics::Repeats;
use crate::servers::{Postgres, ServerOptions};
use crate::supervisor::Supervisor;
use crate::wait::wait_until;

/// A log of this many events, each of another category.
pub(super) fn log(rng: &mut StdRng, length: i64) -> Vec<Recorded> {
    (1..=length)
        .map(|position| recorded(rng, position))
        .collect()
}

/// An event at this position.
pub(super) fn recorded(rng: &mut StdRng, position: i64) -> Recorded {
    let stream_id = random_id(rng);
    let event: Event = category::Event::Activated {
        category_id: CategoryId(stream_id),
    }
    .into();
    let encoded = event.encode().unwrap();
    Recorded {
        position,
        event_id: random_id(rng),
        stream_id,
        version: 1,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: metadata(random_id(rng)),
        recorded_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(position),
    }
}

/// The metadata of an event that a command with this id caused, as JSON.
pub(super) fn metadata(correlation_id: Uuid) -> String {
    let metadata = Metadata {
        actor: Actor::Service("control".to_owned()),
        correlation_id,
        causation_id: None,
        traceparent: None,
    };
    serde_json::to_string(&metadata).unwrap()
}

pub(super) fn random_id(rng: &mut StdRng) -> Uuid {
    Uuid::from_u128(rng.random())
}

/// A Postgres with Tidemark's roles and an empty database, ready.
pub(super) async fn postgres(
    setup: &Setup,
    supervisor: &Supervisor,
    options: &ServerOptions,
) -> Postgres {
    let (paths, directory) = (&setup.paths, &setup.directory);
    let postgres = Postgres::start(supervisor, "postgres", paths, directory, options);
    wait_until("Postgres is ready", || postgres.is_ready()).await;
    postgres.make_roles(paths);
    postgres
}

/// What the invariants look at, where there are only a log and one read model.
pub(super) fn observed(
    log: Vec<Recorded>,
    name: &'static str,
    replayed: Rows,
    rows: Rows,
    documents: Option<Rows>,
) -> Observed {
    Observed {
        pictures: BTreeMap::new(),
        journal: Vec::new(),
        log,
        repeats: Repeats::Forbidden,
        records: Records::new(),
        mails: BTreeMap::new(),
        calls: Vec::new(),
        read_models: vec![ObservedReadModel {
            name,
            replayed,
            rows,
            documents,
            unlike_replay: Vec::new(),
        }],
        checkpoints: Vec::new(),
        behind: Vec::new(),
    }
}

//! Events that no command would make.

use sqlx::postgres::PgPoolOptions;
use tidemark_event_store::{AppendOutcome, Appender, Conditions, Group, NewEvent};
use tidemark_events::{Actor, Aggregate, Encoded, Metadata};
use tidemark_platform::ids::new_id;
use uuid::Uuid;

use crate::Settings;

/// Appends an event with data of its own shape behind the events of a stream, and returns its position.
pub async fn append_strange(settings: &Settings, stream_id: Uuid, encoded: Encoded) -> i64 {
    let url = settings.get("TIDEMARK_DATABASE__APPEND_URL");
    let pool = PgPoolOptions::new().connect_lazy(url).unwrap();
    let appender = Appender::register(&pool, new_id()).await.unwrap();
    let metadata = Metadata {
        actor: Actor::Service("test".to_owned()),
        correlation_id: new_id(),
        causation_id: None,
        traceparent: None,
    };
    let version = sqlx::query_scalar("select count(*) from events where stream_id = $1")
        .bind(stream_id)
        .fetch_one(&pool)
        .await;
    let version: i64 = version.unwrap();
    let aggregate = encoded.event_type.split('.').next().unwrap();
    let event = NewEvent {
        event_id: new_id(),
        stream_id,
        version: version + 1,
        aggregate: Aggregate::from_name(aggregate).unwrap().name(),
        encoded,
        metadata: serde_json::to_string(&metadata).unwrap(),
    };
    let group = Group {
        events: vec![event],
        streams: vec![(stream_id, version)],
        ..Group::default()
    };
    let outcome = appender.append(1, Conditions::default(), vec![group]);
    let AppendOutcome::Appended(done) = outcome.await.unwrap() else {
        panic!("the event was not appended");
    };
    assert_eq!(done.conflicts, [], "the event was not appended");
    done.head + 1
}

//! No value that a field of an event may hold stops a read model: the extremes of every field of every event go
//! through every fold into the tables.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tidemark_domain::LoadedStream;
use tidemark_events::{Aggregate, Event, samples};
use tidemark_platform::Config;
use tidemark_projector::catch_up;
use tidemark_read_models::{ReadModel, for_each_read_model};
use tidemark_tests::App;
use uuid::Uuid;

use super::replay;

/// How long a read model may take. One that cannot write a row tries again for ever.
const CATCH_UP_MAX: Duration = Duration::from_mins(1);
/// How many items and keys a huge array or map has.
const MANY: usize = 10_000;
/// How many characters a long key has.
const LONG: usize = 100_000;
/// How the ids in the samples begin. Each stream of a test has other ids.
const ID_PREFIX: &str = "00000000-0000-0000-0000-";
/// The id of a template follows from what the template is for, so that its sample begins otherwise.
const TEMPLATE_ID_PREFIX: &str = "00000000-0000-7db6-b01f-";

/// An event as the log is to hold it.
pub(super) struct Stored {
    event: Event,
    stream_id: Uuid,
    version: i64,
    data: String,
}

/// The JSON pointers to all values in `value` that hold no others.
fn leaves(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| leaves(field, &format!("{path}/{name}")))
            .collect(),
        Value::Array(items) => (0..)
            .zip(items)
            .flat_map(|(place, item): (usize, _)| leaves(item, &format!("{path}/{place}")))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![path.to_owned()],
    }
}

/// The JSON pointers to all arrays and objects within `value`.
fn collections(value: &Value, path: &str) -> Vec<String> {
    let items: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, it)| (name.clone(), it)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(place, it)| (place.to_string(), it))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return Vec::new(),
    };
    let within = items.into_iter().flat_map(|(name, item)| {
        let path = format!("{path}/{name}");
        let holds_others = item.is_array() || item.is_object();
        let inner = collections(item, &path);
        holds_others.then_some(path).into_iter().chain(inner)
    });
    within.collect()
}

/// Empty and huge arrays and maps that a field may hold instead of this one, and maps with every kind of key. A
/// structure among them is not read as an event, since its fields are missing.
fn extreme_collections(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => {
            let huge = items.first().map(|item| json!(vec![item; MANY]));
            [json!([])].into_iter().chain(huge).collect()
        }
        Value::Object(fields) => {
            let value = fields.values().next().unwrap();
            let keys = [
                "",
                "\0",
                "\\\0",
                "\u{202e}",
                "\n",
                "'",
                "\"",
                "__proto__",
                "\u{10ffff}",
            ];
            let keys = keys
                .map(str::to_owned)
                .into_iter()
                .chain(["a".repeat(LONG), "\0".repeat(LONG)]);
            let one = |key: String| json!({ key: value });
            // The first two read alike where no null character can be kept.
            let several = json!({"\0": value, "\u{fffd}": value, "": value});
            let huge = (0..MANY).map(|number| (number.to_string(), value.clone()));
            let rest = [json!({}), several, huge.collect()];
            keys.map(one).chain(rest).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Each sample with one of its values replaced by an extreme.
fn variants(sample: &Value) -> Vec<Value> {
    let at = |pointer: &String| sample.pointer(pointer).unwrap();
    let of_leaves = leaves(sample, "").into_iter().map(|pointer| {
        let extremes = extremes(&pointer, at(&pointer));
        (pointer, extremes)
    });
    let of_collections = collections(sample, "").into_iter().map(|pointer| {
        let extremes = extreme_collections(at(&pointer));
        (pointer, extremes)
    });
    let mut variants = Vec::new();
    for (pointer, extremes) in of_leaves.chain(of_collections) {
        for extreme in extremes {
            let mut variant = sample.clone();
            *variant.pointer_mut(&pointer).unwrap() = extreme;
            variants.push(variant);
        }
    }
    variants
}

/// Values that a field may hold instead of this one, among others that it may not.
fn extremes(pointer: &str, value: &Value) -> Vec<Value> {
    let is_id = value.as_str().is_some_and(|it| Uuid::try_parse(it).is_ok());
    if is_id {
        return Vec::new();
    }
    let times = [
        "1970-01-01T00:00:00Z",
        "-200000-01-01T00:00:00Z",
        "+200000-01-01T00:00:00Z",
        "2027-06-30T23:59:60.5Z",
        "2027-01-31T12:00:00.123456789Z",
        "9999-12-31T23:59:59.999999Z",
        "0000-01-01T00:00:00Z",
        "-0001-01-01T00:00:00Z",
        "+12000-01-01T00:00:00Z",
    ];
    let numbers = [
        0,
        -1,
        i64::from(i32::MIN),
        i64::from(i32::MAX),
        i64::from(u32::MAX),
        i64::MIN,
        i64::MAX,
    ];
    let chars_max = match pointer {
        "/slug" => 60,
        "/description" => 10_000,
        _ => 200,
    };
    let texts = [
        "a",
        "\u{1f30a}",
        "\u{5e9}",
        "\u{202e}",
        "\u{130}",
        "\n",
        "'",
        "\0",
        "\\\0",
    ];
    let texts = texts.map(|character| json!(character.repeat(chars_max)));
    // A letter that searches compare as eighteen others.
    let long = (pointer == "/title").then(|| json!("\u{fdfa}".repeat(100_000)));
    let countless = [
        json!(null),
        json!(""),
        json!(true),
        json!(false),
        json!("XXX"),
    ];
    let times = times.map(Value::from);
    let numbers = numbers.map(Value::from);
    let long = long.as_slice();
    [&countless[..], &times, &numbers, &texts, long].concat()
}

/// A stream for each extreme of each field: the samples up to the event, and then the event with the extreme.
pub(super) fn streams() -> Vec<Vec<Event>> {
    let mut streams = Vec::new();
    for aggregate in Aggregate::ALL {
        let events = samples::all().into_iter();
        let events: Vec<_> = events.filter(|it| it.aggregate() == *aggregate).collect();
        for (place, event) in events.iter().enumerate() {
            let before = &events[..place];
            let stored = event.encode().unwrap();
            let sample: Value = serde_json::from_str(&stored.data).unwrap();
            for variant in variants(&sample) {
                let (event_type, version) = (&stored.event_type, stored.schema_version);
                if let Ok(extreme) = Event::decode(event_type, version, &variant.to_string()) {
                    streams.push([before, &[extreme]].concat());
                }
            }
        }
    }
    streams
}

/// The events of a stream, with ids of its own.
pub(super) fn stored(number: usize, events: Vec<Event>) -> Vec<Stored> {
    let prefix = format!("{number:08x}-0000-7000-8000-");
    let stored = |(version, event): (i64, Event)| {
        let data = event.encode().unwrap().data;
        let data = data.replace(ID_PREFIX, &prefix);
        let data = data.replace(TEMPLATE_ID_PREFIX, &prefix);
        let fields: Value = serde_json::from_str(&data).unwrap();
        let stream_id = &fields[format!("{}_id", event.aggregate().name())];
        Stored {
            stream_id: stream_id.as_str().unwrap().parse().unwrap(),
            event,
            version,
            data,
        }
    };
    (1..).zip(events).map(stored).collect()
}

/// Puts events into the log as if they had been appended.
pub(super) async fn write(app: &App, log: &[Stored]) {
    let encoded: Vec<_> = log.iter().map(|it| it.event.encode().unwrap()).collect();
    let column = |of: fn(&Stored) -> String| log.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "
        with written as (
            insert into events
                   (position, event_id, stream_id, version, aggregate, type, schema_version, data,
                    metadata, recorded_at)
            select place, gen_random_uuid(), stream_id, version, aggregate, type, schema_version,
                   data::json, $7::json, clock_timestamp()
              from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::smallint[], $6::text[])
                   with ordinality
                as e (stream_id, version, aggregate, type, schema_version, data, place)
            returning position
        )
        update log_head set position = (select max(position) from written)
        ",
    )
    .bind(log.iter().map(|it| it.stream_id).collect::<Vec<_>>())
    .bind(log.iter().map(|it| it.version).collect::<Vec<_>>())
    .bind(column(|it| it.event.aggregate().name().to_owned()))
    .bind(encoded.iter().map(|it| it.event_type.clone()).collect::<Vec<_>>())
    .bind(encoded.iter().map(|it| it.schema_version).collect::<Vec<_>>())
    .bind(column(|it| it.data.clone()))
    .bind(samples::recorded(1, &log[0].event).metadata)
    .execute(&app.database.pool)
    .await
    .unwrap();
}

async fn follow<M: ReadModel>(config: &Config, head: i64) {
    let followed = tokio::time::timeout(CATCH_UP_MAX, catch_up::<M>(config, head)).await;
    let followed = followed.unwrap_or_else(|_| panic!("{} stands still", M::NAME));
    followed.unwrap();
}

/// Fails unless Postgres can look into the document of every row.
async fn assert_readable<M: ReadModel>(app: &App) {
    let select = format!("select count(doc::jsonb) from {}_rows", M::NAME);
    let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(select));
    let counted = count.fetch_one(&app.database.pool).await;
    assert!(counted.is_ok(), "{}: {counted:?}", M::NAME);
}

#[tokio::test]
async fn no_value_of_any_field_stops_a_read_model() {
    let app = App::start().await;
    let streams = streams();
    assert!(streams.len() > 400, "{} extremes", streams.len());
    let log: Vec<_> = (1..)
        .zip(streams)
        .flat_map(|(number, events)| {
            let mut state = LoadedStream::default();
            for event in &events {
                state.apply(event, samples::at(0));
            }
            stored(number, events)
        })
        .collect();
    for (what, data) in [
        ("null character as a key", r#""specifications":{"\u0000":""#),
        ("map with nothing in it", r#""specifications":{}"#),
        ("map with many keys", r#""9999":""#),
        ("array with nothing in it", r#""images":[]"#),
    ] {
        let is_there = log.iter().any(|it| it.data.contains(data));
        assert!(is_there, "the log has no {what}");
    }
    write(&app, &log).await;
    let config = app.settings.as_service("projector").config();
    let head = app.database.head().await;
    for_each_read_model!(follow(&config, head).await);
    for_each_read_model!(assert_readable(&app).await);
    assert_eq!(replay::differences(&app).await, Vec::<String>::new());
}

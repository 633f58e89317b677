//! While a deployment is under way, executors of older builds call the functions that a newer one has changed, and read
//! its answers. They send fewer parameters, and expect the events that a group has not seen with each of its conflicts.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::columns::Columns;
use super::outcome::Answer;
use super::*;

/// How many parameters the builds of before gave `append` and `append_one`, since the answer tells what moved.
const BUILDS: [(usize, usize); 2] = [(36, 20), (37, 21)];

const HOT: Uuid = Uuid::from_u128(10);

/// What a build of before reads of a record.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct OldRecord {
    principal: String,
    key: String,
    request_hash: String,
    status: i16,
    stream_id: Uuid,
    version: i64,
    position: i64,
    recorded_at: Timestamp,
}

/// An executor of a build of before.
struct OldExecutor {
    id: Uuid,
    connection: PgConnection,
    build: (usize, usize),
    batch: i64,
    /// The versions of the streams in its cache.
    known: HashMap<Uuid, i64>,
}

impl OldExecutor {
    async fn register(pool: &PgPool, build: (usize, usize)) -> Self {
        let id = stream(2);
        let mut connection = pool.connect_options().connect().await.unwrap();
        sqlx::query("select register_executor($1)")
            .bind(id)
            .execute(&mut connection)
            .await
            .unwrap();
        Self {
            id,
            connection,
            build,
            batch: 0,
            known: HashMap::new(),
        }
    }

    /// The answer to a batch, and the conflicts as they came.
    async fn append(&mut self, groups: Vec<Group>) -> (Appended, Vec<Value>) {
        let Columns {
            events,
            streams,
            claims_read,
            claims_written,
            idempotency_records: records,
            subject_keys,
        } = &Columns::from(groups);
        self.batch += 1;
        let sql = call("append", self.build.0);
        let query = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.id)
            .bind(self.batch)
            .bind(None::<Timestamp>)
            .bind(None::<Timestamp>)
            .bind(&events.group)
            .bind(&events.id)
            .bind(&events.stream)
            .bind(&events.version)
            .bind(&events.aggregate)
            .bind(&events.event_type)
            .bind(&events.schema)
            .bind(&events.data)
            .bind(&events.metadata)
            .bind(&streams.group)
            .bind(&streams.stream)
            .bind(&streams.version)
            .bind(&claims_read.group)
            .bind(&claims_read.scope)
            .bind(&claims_read.key)
            .bind(&claims_read.owner)
            .bind(&claims_written.group)
            .bind(&claims_written.scope)
            .bind(&claims_written.key)
            .bind(&claims_written.owner)
            .bind(&records.group)
            .bind(&records.principal)
            .bind(&records.key)
            .bind(&records.hash)
            .bind(&records.status)
            .bind(&records.stream)
            .bind(&records.version)
            .bind(&records.last_event)
            .bind(&subject_keys.group)
            .bind(&subject_keys.subject)
            .bind(&subject_keys.version)
            .bind(&subject_keys.wrapped);
        let query = match self.build.0 {
            36 => query,
            _ => query.bind(&records.id),
        };
        read(query.fetch_one(&mut self.connection).await.unwrap())
    }

    /// The answer to the append of one event.
    async fn append_one(&mut self, group: &Group) -> (Appended, Vec<Value>) {
        let event = &group.events[0];
        let (streams, versions): (Vec<_>, Vec<_>) = group.streams.iter().copied().unzip();
        let record = group.idempotency_records.first();
        let service_key = record.and_then(|record| record.service_key.clone()).unzip();
        self.batch += 1;
        let sql = call("append_one", self.build.1);
        let query = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.id)
            .bind(self.batch)
            .bind(None::<Timestamp>)
            .bind(None::<Timestamp>)
            .bind(event.event_id)
            .bind(event.stream_id)
            .bind(event.version)
            .bind(event.aggregate)
            .bind(&event.encoded.event_type)
            .bind(event.encoded.schema_version)
            .bind(&event.encoded.data)
            .bind(&event.metadata)
            .bind(streams)
            .bind(versions)
            .bind(service_key.0)
            .bind(service_key.1)
            .bind(record.map(|record| record.request_hash.clone()))
            .bind(record.and_then(|record| record.status))
            .bind(record.map(|record| record.stream_id))
            .bind(record.map(|record| record.version));
        let query = match self.build.1 {
            20 => query,
            _ => query.bind(record.map(|record| record.id.0)),
        };
        read(query.fetch_one(&mut self.connection).await.unwrap())
    }

    /// Takes into the cache what moved, as the builds of before do: group after group. A stream whose events do not
    /// follow on those that are known is forgotten, so that it is loaded again.
    fn learn(&mut self, conflicts: &[Conflict]) {
        for conflict in conflicts {
            let Conflict::Stream { id, unseen, .. } = conflict else {
                continue;
            };
            let known = self.known.remove(id);
            let newest = unseen.last().map(|event| event.version);
            if newest.is_none() || known > newest {
                continue;
            }
            let mut new = unseen.iter().filter(|event| Some(event.version) > known);
            let caught_up = new.try_fold(known, |version, event| {
                assert_eq!(event.decode().unwrap(), happened(*id));
                (version == Some(event.version - 1)).then_some(Some(event.version))
            });
            if let Some(Some(version)) = caught_up {
                self.known.insert(*id, version);
            }
        }
    }

    /// The version of a stream by the cache, or as it is loaded.
    async fn version(&mut self, id: Uuid) -> i64 {
        if let Some(version) = self.known.get(&id) {
            return *version;
        }
        let version =
            sqlx::query_scalar("select coalesce(max(version), 0) from events where stream_id = $1")
                .bind(id)
                .fetch_one(&mut self.connection)
                .await
                .unwrap();
        self.known.insert(id, version);
        version
    }

    /// A command that reads the hot stream and writes to one of its own, or to the hot one itself.
    async fn decide(&mut self, written: Uuid, command: &str) -> Group {
        let hot = self.version(HOT).await;
        let before = self.version(written).await;
        let mut group = told(group(written, before + 1..=before + 1), command);
        if written != HOT {
            group.streams.push((HOT, hot));
        }
        group
    }

    /// Has a batch decided and appended until nothing of it conflicts. Returns how often it was sent.
    async fn execute(&mut self, mut commands: Vec<(Uuid, String)>) -> usize {
        let mut sent = 0;
        while !commands.is_empty() {
            sent += 1;
            let mut groups = Vec::new();
            for (written, command) in &commands {
                groups.push(self.decide(*written, command).await);
            }
            let (appended, _) = match groups.as_slice() {
                [group] => self.append_one(group).await,
                _ => self.append(groups.clone()).await,
            };
            let failed: Vec<_> = appended.conflicts.iter().map(Conflict::group).collect();
            for (number, (written, _)) in commands.iter().enumerate() {
                if !failed.contains(&number) {
                    *self.known.get_mut(written).unwrap() += 1;
                }
            }
            self.learn(&appended.conflicts);
            let numbered = commands.into_iter().enumerate();
            let again = numbered.filter(|(number, _)| failed.contains(number));
            commands = again.map(|(_, command)| command).collect();
        }
        sent
    }
}

/// The call of a function as a build of before makes it.
fn call(function: &str, parameters: usize) -> String {
    let parameters: Vec<_> = (1..=parameters)
        .map(|number| format!("${number}"))
        .collect();
    let parameters = parameters.join(", ");
    format!(
        "select current, early is true, late is true, contended is true, head, at, moved::text
           from {function}({parameters})"
    )
}

type Row = (bool, bool, bool, bool, i64, Timestamp, Option<String>);

fn read((current, early, late, contended, head, at, conflicts): Row) -> (Appended, Vec<Value>) {
    let raw = serde_json::from_str(conflicts.as_deref().unwrap_or("[]")).unwrap();
    let answer = Answer {
        current,
        early,
        late,
        contended,
        head,
        at,
        conflicts,
    };
    let AppendOutcome::Appended(appended) = answer.try_into().unwrap() else {
        panic!("the batch was not appended");
    };
    (appended, raw)
}

/// The group with the name of its command in its events.
fn told(mut group: Group, command: &str) -> Group {
    for event in &mut group.events {
        event.metadata = format!(r#"{{"command": "{command}"}}"#);
    }
    group
}

#[tokio::test]
async fn executors_of_two_builds_append_by_turns_and_lose_nothing() {
    const ROUNDS: i64 = 6;
    for build in BUILDS {
        let mut new = Executor::new(&format!("turns_of_builds_{}", build.0)).await;
        let mut old = OldExecutor::register(&new.pool, build).await;
        let mut hot = 0;
        for round in 0..ROUNDS {
            for number in 0..2 {
                let command = format!("new {round} {number}");
                let events = told(group(HOT, hot + 1..=hot + 2), &command);
                new.writes(vec![events]).await;
                hot += 2;
            }
            // All but the first wait for a load, since only the first conflict brings the events.
            let commands =
                (0..4).map(|number| (stream(20 + number), format!("old {round} {number}")));
            let sent = old.execute(commands.collect()).await;
            assert_eq!(sent, if round == 0 { 1 } else { 2 });
            new.writes(vec![told(
                group(HOT, hot + 1..=hot + 1),
                &format!("new {round}"),
            )])
            .await;
            let sent = old.execute(vec![(HOT, format!("old {round}"))]).await;
            assert_eq!(sent, 2, "it did not know the last event");
            hot += 2;
        }
        let commands = "select concat(metadata ->> 'command', ': ', count(*)) from events
                         group by metadata ->> 'command' order by 1";
        let mut expected = Vec::new();
        for round in 0..ROUNDS {
            expected.extend((0..2).map(|number| format!("new {round} {number}: 2")));
            expected.extend((0..4).map(|number| format!("old {round} {number}: 1")));
            expected.extend([format!("new {round}: 1"), format!("old {round}: 1")]);
        }
        expected.sort();
        let mut written = new.rows(commands).await;
        written.sort();
        assert_eq!(written, expected);
        let events = new.events().await;
        let positions = events.iter().map(|(position, ..)| *position);
        assert!(positions.eq(1..=ROUNDS * 10), "{events:?}");
        let versions = events.iter().filter(|(_, id, _)| *id == HOT);
        assert!(versions.map(|(.., version)| *version).eq(1..=ROUNDS * 6));
    }
}

#[tokio::test]
async fn a_build_of_before_reads_every_kind_of_conflict() {
    for build in BUILDS {
        let mut new = Executor::new(&format!("conflicts_of_builds_{}", build.0)).await;
        let mut old = OldExecutor::register(&new.pool, build).await;
        let claim = |owner| vec![("slug", "pipes".to_owned(), owner)];
        let keyed = |number| Group {
            idempotency_records: vec![record("a", Some(201), Some(0))],
            ..group(stream(number), 1..=1)
        };
        let before = Group {
            claims_written: claim(Some(stream(11))),
            subject_keys: vec![new_key()],
            ..keyed(11)
        };
        new.writes(vec![group(HOT, 1..=2), before]).await;

        let read_hot = |number| Group {
            streams: vec![(HOT, number)],
            ..Group::default()
        };
        let groups = vec![
            read_hot(1),
            read_hot(0),
            Group {
                claims_read: claim(None),
                ..group(stream(12), 1..=1)
            },
            keyed(13),
            Group {
                subject_keys: vec![new_key()],
                ..group(stream(14), 1..=1)
            },
            group(stream(15), 1..=1),
        ];
        let (appended, raw) = old.append(groups).await;
        let [
            Conflict::Stream {
                group: 0, unseen, ..
            },
            Conflict::Stream {
                group: 1,
                unseen: told_before,
                ..
            },
            Conflict::Claim {
                group: 2, owner, ..
            },
            Conflict::IdempotencyRecord { group: 3, .. },
            Conflict::SubjectKey { group: 4, subject },
        ] = appended.conflicts.as_slice()
        else {
            panic!("{appended:?}");
        };
        let versions = unseen.iter().map(|event| event.version);
        assert!(versions.eq(1..=2), "what any of the groups has not seen");
        assert!(told_before.is_empty());
        assert_eq!((*owner, *subject), (Some(stream(11)), SUBJECT));
        expect_record(&raw[3], stream(13));
        assert_eq!(new.events().await.last(), Some(&(4, stream(15), 1)));

        let (appended, raw) = old.append_one(&keyed(16)).await;
        assert_eq!(appended.conflicts.len(), 1);
        expect_record(&raw[0], stream(16));
        assert_eq!(appended.head, 4);
    }
}

/// The conflict with the record of the key `a`, as a build of before reads it. The command that met it would have
/// written to this stream.
fn expect_record(conflict: &Value, refused: Uuid) {
    let known = OldRecord::deserialize(&conflict["record"]).unwrap();
    assert_eq!((&*known.principal, &*known.key), ("service:1", "a"));
    assert_eq!(known.request_hash, "\\x0001ff");
    assert_eq!((known.status, known.version, known.position), (201, 1, 3));
    assert_ne!(known.stream_id, refused);
}

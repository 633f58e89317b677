//! What a process has taken is its own as long as it lives, and no longer.

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::*;
use crate::reacting::effects::{Effect, Performed};

/// A process manager that has something begun for each auction.
const BEGINNER: ProcessManager = ProcessManager {
    name: "beginner",
    event_types: &["auction.scheduled"],
    commands: &[],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "begin".to_owned(),
            due_at: None,
            owner_id: None,
            about: None,
            what: What::Effect {
                name: "begin".to_owned(),
                destination: String::new(),
                body: Value::Null,
            },
        }]
    },
};

/// An effect that never ends, and tells who begins it.
struct Begin(Uuid, UnboundedSender<(Uuid, i32)>);

#[async_trait]
impl Effect for Begin {
    const NAME: &'static str = "begin";
    type Body = ();

    async fn perform(&self, (): (), _: &str, attempt: i32) -> Performed {
        self.1.send((self.0, attempt)).unwrap();
        std::future::pending().await
    }
}

/// A process that sends.
struct Sending {
    id: Uuid,
    tasks: [JoinHandle<()>; 2],
}

impl Sending {
    fn start(database: &Database, begun: &UnboundedSender<(Uuid, i32)>) -> Self {
        let config = database.config(&[("TIDEMARK_COMMAND_API__URL", "http://127.0.0.1:1")]);
        let (presence, present) = presence(database);
        let id = present.id;
        let stored = watch::Sender::default();
        let sender = Sender::new(&config, database.pool.clone(), stored, present).unwrap();
        let sender = sender.performing(Arc::new(Begin(id, begun.clone())));
        let showing = tokio::spawn(async move {
            presence.run().await;
        });
        let sending = tokio::spawn(sender.run(CancellationToken::new()));
        Self {
            id,
            tasks: [showing, sending],
        }
    }

    /// Ends it as if the process was killed: its connections are closed.
    async fn kill(self) {
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

/// A database in which an effect is due.
async fn with_effect(test: &str) -> Database {
    let database = Database::new(test).await;
    register(&database.pool, &[BEGINNER]).await.unwrap();
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    let events = database.append_shared(vec![event]).await;
    let stored = watch::Sender::default();
    let mut reactor = Reactor::new(database.pool.clone(), &BEGINNER, stored);
    reactor.start().await.unwrap();
    reactor.apply(at(0), &page(&events)).await.unwrap();
    database
}

/// The sessions that hold the lock of a process.
async fn sessions(database: &Database, id: Uuid) -> Vec<i32> {
    let sql = "select pid
                 from pg_locks
                where locktype = 'advisory'
                  and (classid::bigint << 32 | objid::bigint) = sender_lock($1)";
    sqlx::query_scalar(sql)
        .bind(id)
        .fetch_all(&database.owner)
        .await
        .unwrap()
}

#[tokio::test]
async fn what_a_process_had_taken_is_done_by_another_soon_after_it_has_died() {
    let database = with_effect("sender_dies").await;
    let (begun, mut attempts) = mpsc::unbounded_channel();
    let first = Sending::start(&database, &begun);
    assert_eq!(attempts.recv().await, Some((first.id, 1)));
    let second = Sending::start(&database, &begun);
    first.kill().await;
    assert_eq!(attempts.recv().await, Some((second.id, 2)));
}

#[tokio::test]
async fn a_process_that_finds_another_session_in_time_keeps_what_it_has_taken() {
    let database = with_effect("sender_reconnects").await;
    let (begun, mut attempts) = mpsc::unbounded_channel();
    let first = Sending::start(&database, &begun);
    assert_eq!(attempts.recv().await, Some((first.id, 1)));
    let second = Sending::start(&database, &begun);
    let [lost] = sessions(&database, first.id).await[..] else {
        panic!("one session");
    };
    let terminate = sqlx::query("select pg_terminate_backend($1)").bind(lost);
    // A role may end its own sessions.
    terminate.execute(&*database.pool).await.unwrap();
    let begun_again = tokio::time::timeout(3 * GONE_AFTER, attempts.recv()).await;
    assert!(begun_again.is_err(), "{begun_again:?}");
    let found = sessions(&database, first.id).await;
    assert!(found.len() == 1 && found != [lost], "{found:?}");
    // The second one would have done it.
    first.kill().await;
    assert_eq!(attempts.recv().await, Some((second.id, 2)));
}

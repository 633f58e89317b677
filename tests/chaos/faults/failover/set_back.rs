//! A failover to a replica that lacks the last events, after which an operator declares a fork.

use std::time::Instant;

use sqlx::PgConnection;
use tidemark_tests::proxy::{Direction, Fault};
use tidemark_tests::{Client, Process, Proxy};

use super::super::recovery::{COMMANDS_RESUME, PROJECTOR_RESUMES, wait_until_published};
use super::super::{Injection, Outcome};
use super::connect_through_proxy;
use super::replica::{Replica, address, connect};
use crate::servers::postgres;
use crate::stack::Stack;
use crate::supervisor::Supervisor;
use crate::wait::wait_until;

/// Commands that are accepted and get lost.
const LOST: u64 = 200;
/// Requests that are refused before the fork is declared.
const REFUSED: u64 = 20;

/// The relay stands still meanwhile: had it published events that the log then loses, it would stop
/// with an alarm until an operator has it adopt the topics or use others.
pub(super) async fn set_back(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let primary = &stack.postgres;
    let proxy = connect_through_proxy(stack).await;
    let supervisor = Supervisor::new();
    let replication = Proxy::start("127.0.0.1:0", &address(primary.port)).await;
    let replication = replication.unwrap();
    let replica = Replica::start(stack, &supervisor, replication.address().port()).await;
    let relay = &stack.relays[0];
    relay.stop().await;
    replica.has_all(stack).await;
    replication.set(Direction::Down, Fault::Reset);
    replication.cut();
    injection.load.wait_for_commands(LOST).await;
    let lost = token(&mut connect(primary.port).await).await;

    let died_at = Instant::now();
    primary.process.end();
    replica.promote().await;
    let mut database = connect(replica.port).await;
    let head = head(&mut database).await;
    injection.load.log_is_set_back(head);
    proxy.move_to(&address(replica.port));
    proxy.cut();
    assert_commands_are_refused(&injection, &mut database, head).await;
    declare_fork(stack, &replica).await;
    injection.wait_for_commands(COMMANDS_RESUME).await;
    let recovered = died_at.elapsed();
    wait_until_refused(stack, &lost).await;

    replica.hand_back(stack, &proxy).await;
    relay.supervised.release();
    relay.ready().await;
    injection.wait_for_service().await;
    injection.wait_for_read_models(PROJECTOR_RESUMES).await;
    wait_until_published(stack).await;
    Outcome::Recovered(recovered)
}

/// The `Tidemark` of the last event.
async fn token(database: &mut PgConnection) -> String {
    sqlx::query_scalar("select timeline || '.' || position from log_head")
        .fetch_one(database)
        .await
        .unwrap()
}

async fn head(database: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select position from log_head")
        .fetch_one(database)
        .await
        .unwrap()
}

/// From when a command API has noticed, no command is accepted; before, none can be appended.
async fn assert_commands_are_refused(
    injection: &Injection,
    database: &mut PgConnection,
    set_back_to: i64,
) {
    let before = injection.load.tally();
    wait_until("commands are refused", || async {
        (injection.load.tally() - before).unavailable >= REFUSED
    })
    .await;
    let meanwhile = injection.load.tally() - before;
    assert_eq!(
        meanwhile.accepted, 0,
        "commands were accepted: {meanwhile:?}"
    );
    assert_eq!(head(database).await, set_back_to, "events were appended");
    let is_known: bool = sqlx::query_scalar("select set_back from log_head")
        .fetch_one(database)
        .await
        .unwrap();
    assert!(is_known, "nobody noticed that the log was set back");
}

async fn declare_fork(stack: &Stack, replica: &Replica) {
    let mut settings = stack.settings.as_service("operator");
    let url = postgres::url("tidemark_project", replica.port, "tidemark");
    settings.set("TIDEMARK_DATABASE__PROJECT_URL", url);
    let arguments = ["timeline", "fork", "--reason", "the last events are lost"];
    let forked = Process::operators_tool(&settings, &arguments).await;
    assert!(forked.status.success(), "{forked:?}");
}

/// Waits until every query API refuses a token of what is lost.
async fn wait_until_refused(stack: &Stack, lost: &str) {
    for api in &stack.query_apis {
        let client = Client::anonymous("", &api.url).with_tidemark(lost);
        wait_until("a token of what is lost is refused", || async {
            let answer = client.get("/v1/auctions?limit=1").await;
            answer.code() == "other_timeline"
        })
        .await;
    }
}

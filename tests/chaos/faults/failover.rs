//! Postgres fails over to a replica, which is synchronous or lacks the last events, and back.

mod replica;
mod set_back;

use std::time::{Duration, Instant};

use futures::FutureExt;
use sqlx::Executor;
use tidemark_tests::Proxy;
use tokio::time::timeout;

use super::{Fault, Injection, Outcome};
use crate::stack::Stack;
use crate::supervisor::Supervisor;
use crate::wait::wait_until;
use replica::{Replica, address, connect};

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "fail-over-postgres",
        "Postgres fails over to a synchronous replica",
        3,
        |i| fail_over(i).boxed(),
    ),
    Fault::new(
        "set-back-postgres",
        "Postgres fails over to a replica that lacks the last events",
        3,
        |i| set_back::set_back(i).boxed(),
    ),
];

/// Commands that are accepted before the primary dies.
const COMMANDS_BEFORE: u64 = 300;
/// Commands that are accepted by the replica.
const COMMANDS_AFTER: u64 = 300;
/// For how long a write to the old primary is tried.
const FENCE_TIMEOUT: Duration = Duration::from_secs(2);

async fn fail_over(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let primary = &stack.postgres;
    let proxy = connect_through_proxy(stack).await;
    let supervisor = Supervisor::new();
    let replica = Replica::start(stack, &supervisor, primary.port).await;
    let mut admin = connect(primary.port).await;
    let wait_for_replica = "alter system set synchronous_standby_names = '*'";
    admin.execute(wait_for_replica).await.unwrap();
    admin.execute("select pg_reload_conf()").await.unwrap();
    wait_until("the replica is synchronous", || {
        replica.is_synchronous(stack)
    })
    .await;
    injection.load.wait_for_commands(COMMANDS_BEFORE).await;

    let died_at = Instant::now();
    primary.process.end();
    replica.promote().await;
    proxy.move_to(&address(replica.port));
    proxy.cut();
    injection.wait_for_service().await;
    let recovered = died_at.elapsed();
    assert_old_primary_is_fenced(stack).await;
    injection.load.wait_for_commands(COMMANDS_AFTER).await;

    replica.hand_back(stack, &proxy).await;
    injection.wait_for_service().await;
    Outcome::Recovered(recovered)
}

/// Restarts all running processes so that they reach Postgres through a proxy.
async fn connect_through_proxy(stack: &Stack) -> Proxy {
    let port = stack.postgres.port;
    let proxy = Proxy::start("127.0.0.1:0", &address(port)).await.unwrap();
    let proxy_port = proxy.address().port();
    let processes = stack.processes();
    for process in processes.filter(|process| !process.supervised.is_held()) {
        process
            .restart_with(|program| {
                for url in program.environment.values_mut() {
                    *url = url.replace(&format!(":{port}/"), &format!(":{proxy_port}/"));
                }
            })
            .await;
    }
    proxy
}

/// Starts the old primary again, which must acknowledge nothing because it waits for a replica.
async fn assert_old_primary_is_fenced(stack: &Stack) {
    let primary = &stack.postgres;
    primary.process.release();
    wait_until("the old primary is ready", || primary.is_ready()).await;
    let mut connection = connect(primary.port).await;
    let write = "create table only_on_the_old_primary ()";
    let written = timeout(FENCE_TIMEOUT, connection.execute(write)).await;
    assert!(
        written.is_err(),
        "the old primary acknowledged a write: {written:?}"
    );
    primary.process.end();
}

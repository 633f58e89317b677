//! Disks that fail: a power cut, a full one, one that cannot flush.

pub(crate) mod device;
pub(crate) mod small;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::kafka_records::ends;
use super::network::back;
use super::{Episode, Fault, Outcome, Topics, ordinary};
use crate::servers::Options;
use crate::stack::{Layout, Stack, until};
use crate::supervisor::Supervised;
use device::Device;
use small::SmallDisk;

/// The faults of this kind.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        id: "f19",
        title: "a flush of Postgres' log fails",
        full: 5,
        layout: ordinary,
        topics: Topics::Exact,
        inject: |episode| failing_flush(episode).boxed(),
    },
    Fault {
        id: "f20",
        title: "Postgres' disk is full",
        full: 3,
        layout: postgres_on_a_small_disk,
        topics: Topics::Exact,
        inject: |episode| full(episode).boxed(),
    },
    Fault {
        id: "f20-wal",
        title: "Postgres' disk is full, and its log needs another file",
        full: 3,
        layout: postgres_on_a_small_disk,
        topics: Topics::Exact,
        inject: |episode| full_of_log(episode).boxed(),
    },
    Fault {
        id: "f24",
        title: "power cut of Postgres",
        full: 5,
        layout: postgres_on_a_device,
        topics: Topics::Exact,
        inject: |episode| power_cut_of_postgres(episode).boxed(),
    },
    Fault {
        id: "f26",
        title: "power cut of Kafka",
        full: 3,
        layout: kafka_on_a_device,
        topics: Topics::Exact,
        inject: |episode| power_cut_of_kafka(episode).boxed(),
    },
];

/// Postgres recovers from a panic in that time.
const FLUSH_BACK: Duration = Duration::from_secs(10);
/// And from a full disk once there is space.
const SPACE_BACK: Duration = Duration::from_secs(30);
/// What is done between two cuts, so that there is something that was not flushed yet.
const BETWEEN: u64 = 300;
/// How long nothing can be written.
const FULL: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(200);
/// As few files of its log as it can do with, so that it soon needs another.
const SMALL_LOG: [(&str, &str); 2] = [("min_wal_size", "32MB"), ("max_wal_size", "64MB")];

async fn failing_flush(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    if Command::new("strace").arg("-V").output().is_err() {
        return Outcome::Skipped("there is no strace".to_owned());
    }
    let pids: Vec<i32> =
        sqlx::query_scalar("select pid from pg_stat_activity where usename = 'tidemark_append'")
            .fetch_all(&stack.pool)
            .await
            .unwrap();
    let before = panics(stack);
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-e", "trace=fdatasync"]);
    strace.args(["-e", "inject=fdatasync:error=EIO:when=3"]);
    for pid in pids {
        strace.args(["-p", &pid.to_string()]);
    }
    let mut strace = strace.stderr(Stdio::null()).spawn().unwrap();
    until("Postgres to panic", || async { panics(stack) > before }).await;
    let panicked = Instant::now();
    // It ends with those whom it traces.
    tokio::task::spawn_blocking(move || strace.wait().unwrap())
        .await
        .unwrap();
    back(&episode).await;
    let recovered = panicked.elapsed();
    assert!(recovered <= FLUSH_BACK, "back after {recovered:?}");
    Outcome::Recovered(recovered)
}

fn postgres_on_a_small_disk() -> Layout {
    let Ok(disk) = SmallDisk::make() else {
        return ordinary();
    };
    Layout {
        postgres: Options {
            home: Some(disk.path().to_owned()),
            settings: SMALL_LOG
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Options::default()
        },
        foundations: vec![Box::new(disk)],
        ..Layout::default()
    }
}

/// Nothing can be written, everything can be read.
async fn full(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let Some(disk) = SmallDisk::of(&stack.postgres.data) else {
        return Outcome::Skipped(SmallDisk::make().err().unwrap_or_default());
    };
    disk.fill();
    let before = episode.load.tally();
    // Some of what is there can still be written over.
    let refused = || async { (episode.load.tally() - before).unavailable > 0 };
    until("the disk to be full", refused).await;
    let began = Instant::now();
    while began.elapsed() < FULL {
        for query in &stack.queries {
            let answer = reqwest::get(format!("{}/v1/categories", query.url)).await;
            let status = answer.map(|answer| answer.status().as_u16());
            assert!(
                matches!(status, Ok(200)),
                "a query on a full disk: {status:?}"
            );
        }
        sleep(LOOK).await;
    }
    space(&episode, &disk).await
}

/// Postgres cannot go on at all, and dies until there is space.
async fn full_of_log(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let Some(disk) = SmallDisk::of(&stack.postgres.data) else {
        return Outcome::Skipped(SmallDisk::make().err().unwrap_or_default());
    };
    let before = panics(stack);
    disk.fill();
    until("Postgres to panic", || async {
        // What it keeps for later is used up first.
        let next = "select pg_logical_emit_message(false, 'chaos', ''), pg_switch_wal()";
        let _ = sqlx::query(next).execute(&stack.pool).await;
        panics(stack) > before
    })
    .await;
    sleep(FULL).await;
    space(&episode, &disk).await
}

async fn space(episode: &Episode, disk: &SmallDisk) -> Outcome {
    disk.grow();
    let there_is_space = Instant::now();
    back(episode).await;
    let recovered = there_is_space.elapsed();
    assert!(recovered <= SPACE_BACK, "back after {recovered:?}");
    Outcome::Recovered(recovered)
}

/// How often Postgres has panicked.
fn panics(stack: &Stack) -> usize {
    let log = std::fs::read(stack.postgres.process.log()).unwrap_or_default();
    String::from_utf8_lossy(&log).matches("PANIC").count()
}

fn postgres_on_a_device() -> Layout {
    let Ok(device) = Device::make() else {
        return ordinary();
    };
    Layout {
        postgres: Options {
            home: Some(device.mount_point()),
            ..Options::default()
        },
        foundations: vec![Box::new(device)],
        ..Layout::default()
    }
}

fn kafka_on_a_device() -> Layout {
    let Ok(device) = Device::make() else {
        return ordinary();
    };
    Layout {
        kafka: Options {
            home: Some(device.mount_point()),
            ..Options::default()
        },
        foundations: vec![Box::new(device)],
        ..Layout::default()
    }
}

async fn power_cut_of_postgres(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let Some(device) = Device::of(&stack.postgres.data) else {
        return Outcome::Skipped(Device::make().err().unwrap_or_default());
    };
    episode.load.accepted(BETWEEN).await;
    power_cut(&stack.postgres.process, device).await;
    Outcome::Recovered(back(&episode).await)
}

async fn power_cut_of_kafka(episode: Episode) -> Outcome {
    let stack = &episode.stack;
    let Some(device) = Device::of(&stack.kafka.data) else {
        return Outcome::Skipped(Device::make().err().unwrap_or_default());
    };
    // The broker flushes nothing by itself: without this it might forget its very name.
    device.flush();
    episode.load.accepted(BETWEEN).await;
    let before = episode.load.tally();
    let saved: i64 = sqlx::query_scalar("select sum(next_offset)::bigint from relay_partitions")
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    power_cut(&stack.kafka.process, device).await;
    until("Kafka", || stack.kafka.is_ready()).await;
    // The next term of the relay waits before it publishes.
    let found = ends(stack).await;
    assert!(
        found < saved,
        "nothing was lost of {saved} records: that was no power cut"
    );
    let recovered = back(&episode).await;
    published(stack).await;
    let seen = episode.load.tally() - before;
    // Queries may wait in vain for a moment, until the read models follow the log itself.
    let failed_commands = seen.unavailable.saturating_sub(seen.failed_reads);
    assert!(
        failed_commands == 0 && seen.errors == 0,
        "commands failed without Kafka: {seen:?}"
    );
    Outcome::Recovered(recovered)
}

/// Takes the power from a server and its disk, and gives it back.
pub(crate) async fn power_cut(server: &Supervised, device: Device) {
    server.hold();
    // The disk first: what is acknowledged from now on would be a lie.
    device.power_off();
    server.end();
    tokio::task::spawn_blocking(move || device.power_on())
        .await
        .unwrap();
    server.release();
}

/// Waits until the relay has published all that is in the log now.
pub(super) async fn published(stack: &Stack) -> Duration {
    let head: i64 = sqlx::query_scalar("select position from log_head")
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    until("the relay", || async {
        let confirmed: i64 = sqlx::query_scalar("select position from relay_progress")
            .fetch_one(&stack.pool)
            .await
            .unwrap_or_default();
        confirmed >= head
    })
    .await
}

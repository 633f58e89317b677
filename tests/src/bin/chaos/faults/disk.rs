//! Disks that fail: a power cut, a full one, one that cannot flush.

pub(crate) mod device;
pub(crate) mod small;

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio::time::sleep;

use super::{Episode, Fault, Outcome, Topics, network::back, ordinary};
use crate::{
    servers::Options,
    stack::{Layout, Stack, until},
    supervisor::Supervised,
};
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
    let log = stack.postgres.process.log();
    let panics = || std::fs::read_to_string(log).map_or(0, |log| log.matches("PANIC").count());
    let before = panics();
    let mut strace = Command::new("strace");
    strace.args(["-qq", "-e", "trace=fdatasync"]);
    strace.args(["-e", "inject=fdatasync:error=EIO:when=3"]);
    for pid in pids {
        strace.args(["-p", &pid.to_string()]);
    }
    let mut strace = strace.stderr(Stdio::null()).spawn().unwrap();
    until("Postgres to panic", || async { panics() > before }).await;
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
            ..Options::default()
        },
        foundations: vec![Box::new(disk)],
        ..Layout::default()
    }
}

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
    sleep(FULL).await;
    disk.grow();
    let there_is_space = Instant::now();
    back(&episode).await;
    let recovered = there_is_space.elapsed();
    assert!(recovered <= SPACE_BACK, "back after {recovered:?}");
    Outcome::Recovered(recovered)
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
    power_cut(&stack.kafka.process, device).await;
    until("Kafka", || stack.kafka.is_ready()).await;
    let recovered = back(&episode).await;
    published(stack).await;
    let seen = episode.load.tally() - before;
    assert!(
        seen.unavailable == 0 && seen.errors == 0,
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

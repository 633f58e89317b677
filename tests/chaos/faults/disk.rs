//! Disks that cannot flush, are full, or lose what was not flushed when the power fails.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::{COMMANDS_RESUME, wait_until_published};
use super::topics::count_records;
use super::{Fault, Injection, Outcome, ordinary};
use crate::disks::{PowerCutDisk, ResizableDisk, cut_power};
use crate::load::{Bids, CrowdBidder, keep_bidding};
use crate::servers::ServerOptions;
use crate::stack::{Layout, Stack};
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "fail-postgres-flush",
        "an fdatasync of Postgres fails with EIO",
        5,
        |i| fail_postgres_flush(i).boxed(),
    ),
    Fault::new(
        "slow-commits",
        "every flush of Postgres's write-ahead log takes 0.9 s, for 18 s, with 64 bidders",
        3,
        |i| slow_commits(i).boxed(),
    ),
    Fault::new(
        "fill-postgres-disk",
        "Postgres's disk is full for 8 s",
        3,
        |i| fill_postgres_disk(i).boxed(),
    )
    .on(postgres_on_resizable_disk),
    Fault::new(
        "fill-postgres-wal",
        "Postgres's disk is full, and its write-ahead log needs another file",
        3,
        |i| fill_postgres_wal(i).boxed(),
    )
    .on(postgres_on_resizable_disk),
    Fault::new(
        "power-cut-postgres",
        "power cut of Postgres and its disk",
        5,
        |i| power_cut_postgres(i).boxed(),
    )
    .on(postgres_on_power_cut_disk),
    Fault::new(
        "power-cut-kafka",
        "power cut of Kafka and its disk",
        3,
        |i| power_cut_kafka(i).boxed(),
    )
    .on(kafka_on_power_cut_disk),
];

/// Until the service is back after Postgres panicked.
const RECOVERY_FROM_PANIC: Duration = Duration::from_secs(10);
/// Until the service is back after a full disk has space again.
const RECOVERY_FROM_FULL_DISK: Duration = Duration::from_secs(30);
/// Commands that are accepted before a power cut, so that something was not flushed yet.
const COMMANDS_BEFORE_CUT: u64 = 300;
/// How long a flush takes on the slow disk, as strace writes it. A commit may have to wait for the
/// flush of another process before its own, so that it takes nearly twice as long: 1.8 s is about the age at which a decision
/// is refused that rests on what was true then.
const SLOW_FLUSH: &str = "900ms";
/// How long the disk is slow.
const SLOW: Duration = Duration::from_secs(18);
/// Bidders that bid meanwhile, half of them at each of two command APIs. At worst there is one commit in 1.8 s, for each
/// command API in turn, and a bid is answered after two of its command API, or after three if a bid at the other one came
/// first: so as many bids are decided at the least.
const BIDDERS: usize = 64;
/// How long the disk is full.
const FULL: Duration = Duration::from_secs(8);
const QUERY_INTERVAL: Duration = Duration::from_millis(200);
/// Settings that keep the write-ahead log so small that it soon needs another file.
const SMALL_WAL: [(&str, &str); 2] = [("min_wal_size", "32MB"), ("max_wal_size", "64MB")];

/// Has strace change what happens to calls of `fdatasync` in these processes and in those that they start.
fn change_flushes(change: &str, pids: &[i32]) -> io::Result<Child> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", "trace=fdatasync"]);
    strace.args(["-e", &format!("inject=fdatasync:{change}")]);
    for pid in pids {
        strace.args(["-p", &pid.to_string()]);
    }
    strace.stderr(Stdio::null()).spawn()
}

fn without_strace() -> Outcome {
    Outcome::Skipped("there is no strace: install it".to_owned())
}

async fn fail_postgres_flush(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let pids: Vec<i32> =
        sqlx::query_scalar("select pid from pg_stat_activity where usename = 'tidemark_append'")
            .fetch_all(&stack.pool)
            .await
            .unwrap();
    let before = postgres_panics(stack);
    let Ok(mut strace) = change_flushes("error=EIO:when=3", &pids) else {
        return without_strace();
    };
    wait_until("Postgres panics", || async {
        postgres_panics(stack) > before
    })
    .await;
    let panicked_at = Instant::now();
    // strace ends when all backends that it traces have ended.
    tokio::task::spawn_blocking(move || strace.wait().unwrap())
        .await
        .unwrap();
    injection.wait_for_service().await;
    recovered_within(panicked_at.elapsed(), RECOVERY_FROM_PANIC)
}

/// Throughput falls with the commit time, and no further.
async fn slow_commits(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let mut pids: Vec<i32> = sqlx::query_scalar("select pid from pg_stat_activity")
        .fetch_all(&stack.pool)
        .await
        .unwrap();
    // Traced too, so that the backends that it starts meanwhile are.
    let postmaster = stack.postgres.process.pid().unwrap();
    pids.push(postmaster.try_into().unwrap());
    let Ok(mut strace) = change_flushes(&format!("delay_enter={SLOW_FLUSH}"), &pids) else {
        return without_strace();
    };
    let bidders = injection.load.crowd(BIDDERS);
    let bids = keep_bidding(&bidders, SLOW, CrowdBidder::bid).await;
    strace.kill().unwrap();
    strace.wait().unwrap();
    let Bids { decided, put_off } = &bids;
    assert!(
        decided.len() >= BIDDERS,
        "{} bids of {BIDDERS} bidders were decided while the disk was slow; put off: {put_off:?}",
        decided.len()
    );
    Outcome::Recovered(injection.wait_for_commands(COMMANDS_RESUME).await)
}

fn postgres_on_resizable_disk() -> Layout {
    let Ok(disk) = ResizableDisk::make() else {
        return ordinary();
    };
    Layout {
        postgres: ServerOptions {
            data_home: Some(disk.path().to_owned()),
            settings: SMALL_WAL
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..ServerOptions::default()
        },
        disks: vec![Box::new(disk)],
        ..Layout::default()
    }
}

/// While nothing can be written, everything can still be read.
async fn fill_postgres_disk(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let Some(disk) = ResizableDisk::of(&stack.postgres.data) else {
        return Outcome::Skipped(ResizableDisk::make().err().unwrap_or_default());
    };
    disk.fill();
    let before = injection.load.tally();
    // Files that exist can still be written over for a while.
    wait_until("a command is answered 503", || async {
        (injection.load.tally() - before).unavailable > 0
    })
    .await;
    let started = Instant::now();
    while started.elapsed() < FULL {
        for api in &stack.query_apis {
            let answer = reqwest::get(format!("{}/v1/categories", api.url)).await;
            let status = answer.map(|answer| answer.status().as_u16());
            assert!(
                matches!(status, Ok(200)),
                "a query on a full disk was answered {status:?}"
            );
        }
        sleep(QUERY_INTERVAL).await;
    }
    free_space(&injection, &disk).await
}

/// Postgres cannot go on at all, and panics at each start until there is space.
async fn fill_postgres_wal(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let Some(disk) = ResizableDisk::of(&stack.postgres.data) else {
        return Outcome::Skipped(ResizableDisk::make().err().unwrap_or_default());
    };
    let before = postgres_panics(stack);
    disk.fill();
    wait_until("Postgres panics", || async {
        // Postgres keeps some files for later, which must be used up first.
        let switch = "select pg_logical_emit_message(false, 'chaos', ''), pg_switch_wal()";
        let _ = sqlx::query(switch).execute(&stack.pool).await;
        postgres_panics(stack) > before
    })
    .await;
    sleep(FULL).await;
    free_space(&injection, &disk).await
}

async fn free_space(injection: &Injection, disk: &ResizableDisk) -> Outcome {
    disk.grow();
    let has_space_since = Instant::now();
    injection.wait_for_service().await;
    recovered_within(has_space_since.elapsed(), RECOVERY_FROM_FULL_DISK)
}

fn recovered_within(recovered: Duration, bound: Duration) -> Outcome {
    assert!(
        recovered <= bound,
        "the service was back only after {recovered:?}, not within {bound:?}"
    );
    Outcome::Recovered(recovered)
}

/// How often Postgres has panicked.
fn postgres_panics(stack: &Stack) -> usize {
    let log = std::fs::read(stack.postgres.process.log()).unwrap_or_default();
    String::from_utf8_lossy(&log).matches("PANIC").count()
}

fn postgres_on_power_cut_disk() -> Layout {
    let Ok(disk) = PowerCutDisk::make() else {
        return ordinary();
    };
    Layout {
        postgres: on(&disk),
        disks: vec![Box::new(disk)],
        ..Layout::default()
    }
}

fn kafka_on_power_cut_disk() -> Layout {
    let Ok(disk) = PowerCutDisk::make() else {
        return ordinary();
    };
    Layout {
        kafka: on(&disk),
        disks: vec![Box::new(disk)],
        ..Layout::default()
    }
}

fn on(disk: &PowerCutDisk) -> ServerOptions {
    ServerOptions {
        data_home: Some(disk.mount_point()),
        ..ServerOptions::default()
    }
}

async fn power_cut_postgres(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let Some(disk) = PowerCutDisk::of(&stack.postgres.data) else {
        return Outcome::Skipped(PowerCutDisk::make().err().unwrap_or_default());
    };
    injection.load.wait_for_commands(COMMANDS_BEFORE_CUT).await;
    cut_power(&stack.postgres.process, disk).await;
    Outcome::Recovered(injection.wait_for_service().await)
}

async fn power_cut_kafka(injection: Injection) -> Outcome {
    let stack = &injection.stack;
    let Some(disk) = PowerCutDisk::of(&stack.kafka.data) else {
        return Outcome::Skipped(PowerCutDisk::make().err().unwrap_or_default());
    };
    // Kafka flushes nothing by itself, so without this it might even lose its cluster id.
    disk.flush();
    injection.load.wait_for_commands(COMMANDS_BEFORE_CUT).await;
    let before = injection.load.tally();
    let saved: i64 = sqlx::query_scalar("select sum(next_offset)::bigint from relay_partitions")
        .fetch_one(&stack.pool)
        .await
        .unwrap();
    cut_power(&stack.kafka.process, disk).await;
    wait_until("Kafka is ready again", || stack.kafka.is_ready()).await;
    // The next term of the relay waits before it publishes, so this counts what survived.
    let survived = count_records(stack).await;
    assert!(
        survived < saved,
        "{saved} records were published and {survived} survived: that was no power cut"
    );
    let recovered = injection.wait_for_service().await;
    wait_until_published(stack).await;
    let meanwhile = injection.load.tally() - before;
    // Queries may fail for a moment, until the read models follow the log itself.
    let failed_commands = meanwhile.unavailable.saturating_sub(meanwhile.failed_reads);
    assert!(
        failed_commands == 0 && meanwhile.other_errors == 0,
        "commands failed while Kafka was away: {meanwhile:?}"
    );
    Outcome::Recovered(recovered)
}

//! A store of uploaded files that is away, says nothing, or has no room.

use std::time::Duration;

use futures::FutureExt;
use tokio::time::sleep;

use super::recovery::{COMMANDS_RESUME, SLOWNESS};
use super::{Fault, Injection, Outcome, ordinary};
use crate::disks::ResizableDisk;
use crate::load::Uploads;
use crate::stack::Layout;
use crate::supervisor::Signal;
use crate::wait::wait_until;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(
        "kill-object-store",
        "kill -9 of the object store, away for 3 to 10 s",
        10,
        |i| kill(i).boxed(),
    ),
    Fault::new(
        "hang-object-store",
        "the object store answers nothing for 10 s",
        10,
        |i| hang(i).boxed(),
    ),
    Fault::new(
        "fill-media-disk",
        "the disk of uploaded files is full for 5 s",
        10,
        |i| fill(i).boxed(),
    )
    .on(media_on_resizable_disk),
];

/// For how long the store answers nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// How long the disk is full.
const FULL: Duration = Duration::from_secs(5);
/// Until a picture is stored after the store is back.
const UPLOADS_RESUME: Duration = Duration::from_secs(5 * SLOWNESS);

async fn kill(mut injection: Injection) -> Outcome {
    let away = injection.between(Duration::from_secs(3), Duration::from_secs(10));
    let store = &injection.stack.object_store;
    store.process.hold();
    store.process.kill();
    while_refused(&injection, |it| it.unavailable > 0, away).await;
    store.process.release();
    wait_until("the object store is ready again", || store.is_ready()).await;
    wait_for_upload(&injection).await
}

async fn hang(injection: Injection) -> Outcome {
    let process = &injection.stack.object_store.process;
    process.signal(Signal::Stop);
    while_refused(&injection, |it| it.unavailable > 0, SILENCE).await;
    process.signal(Signal::Continue);
    wait_for_upload(&injection).await
}

fn media_on_resizable_disk() -> Layout {
    let Ok(disk) = ResizableDisk::make() else {
        return ordinary();
    };
    Layout {
        media_folder: Some(disk.path().join("media")),
        disks: vec![Box::new(disk)],
        ..Layout::default()
    }
}

async fn fill(injection: Injection) -> Outcome {
    let folder = injection.stack.settings.get("TIDEMARK_MEDIA__PLACE");
    let Some(disk) = ResizableDisk::of(folder.as_ref()) else {
        return Outcome::Skipped(ResizableDisk::make().err().unwrap_or_default());
    };
    disk.fill();
    while_refused(&injection, |it| it.full > 0, FULL).await;
    disk.grow();
    wait_for_upload(&injection).await
}

/// Waits until an upload is refused, and then for some time more. All other commands are accepted meanwhile.
async fn while_refused(injection: &Injection, is_refused: fn(Uploads) -> bool, time: Duration) {
    injection.load.wait_for_uploads(is_refused).await;
    injection.wait_for_commands(COMMANDS_RESUME).await;
    sleep(time).await;
}

async fn wait_for_upload(injection: &Injection) -> Outcome {
    let took = injection.load.wait_for_uploads(|it| it.accepted > 0).await;
    assert!(
        took < UPLOADS_RESUME,
        "a picture was stored only after {took:?}, not within {UPLOADS_RESUME:?}"
    );
    Outcome::Recovered(took)
}

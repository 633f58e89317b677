//! How fast one shard of a generation is built: by turns with the others that its process builds, and no faster than an
//! operator allows.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::build_turns::{BuildTurns, Turn};
use super::page::Page;
use super::subscriber::Building;

/// The pace of a shard since it started.
#[derive(Debug)]
pub(super) struct BuildPace {
    turns: Arc<BuildTurns>,
    events_per_second: Option<u32>,
    started_at: Instant,
    started_from: i64,
}

impl BuildPace {
    /// The pace for what follows this position from now on.
    pub(super) fn new(building: Building, turns: Arc<BuildTurns>, position: i64) -> Self {
        Self {
            turns,
            events_per_second: building.events_per_second,
            started_at: Instant::now(),
            started_from: position,
        }
    }

    /// Waits until a page that begins after this position may be applied, and returns what was cut off it.
    pub(super) async fn begin(&self, after: i64, page: &mut Page) -> (Turn, Option<Page>) {
        self.turns.next(after, page).await
    }

    /// Waits until the log may be applied beyond this position.
    pub(super) async fn end(&self, turn: Option<Turn>, position: i64) {
        if let Some(turn) = turn {
            turn.end().await;
        }
        if let Some(events_per_second) = self.events_per_second {
            let applied = u32::try_from(position - self.started_from).unwrap_or(u32::MAX);
            let takes = Duration::from_secs(1) * applied / events_per_second;
            sleep_until(self.started_at + takes).await;
        }
    }
}

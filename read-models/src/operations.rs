//! What operators are shown of the log's timelines and of everything that follows the log: read models, reactors and the
//! relay, and what waits for them. The operators' tool and the query API show the same, so both ask here. Nothing here changes anything.

pub mod given_up;
pub mod parked;
pub mod reactors;
pub mod relay;
pub mod shards;
pub mod timelines;

use serde::Serialize;
use utoipa::ToSchema;

/// Up to so many of what waits are counted. Counting more would take long, and an operator who sees so many knows enough.
pub const COUNTED_MAX: i64 = 10_000;
/// What follows the log is behind when the oldest event that it has not applied is older than this, in seconds.
pub const BEHIND_S: f64 = 5.0;

/// What something that follows the log does, in one word. The first that applies is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
// Another `Condition` is that of a product, and one name in a description is one schema.
#[schema(as = FollowerCondition)]
pub enum Condition {
    /// It stands still before an event.
    Blocked,
    /// An operator has paused the build.
    Paused,
    /// No process runs it.
    NotRunning,
    /// It goes on, but for the rows that are parked.
    Parked,
    /// It is built, up to the end of the log for the first time.
    Building,
    /// It has applied all events.
    Idle,
    /// It follows the log.
    Following,
    /// The oldest event that it has not applied is older than 5 seconds.
    Behind,
}

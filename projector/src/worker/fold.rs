//! Folding a page in memory. No I/O; and an event is applied to all of its rows of the shard or to none.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemark_events::Recorded;
use tidemark_read_models::{FoldInput, ReadModel, Shard};
use uuid::Uuid;

use super::rows::Rows;
use crate::subscriber::Obstacle;

/// An event that a read model wants, and the rows of the shard that it touches.
pub(super) struct Step<'a> {
    pub(super) input: FoldInput<'a>,
    pub(super) keys: Vec<Uuid>,
}

/// The steps up to the first event that cannot be read, and the position of that one.
pub(super) fn read<M: ReadModel>(
    shard: Shard,
    events: &[Arc<Recorded>],
) -> (Vec<Step<'_>>, Option<(i64, Obstacle)>) {
    let mut steps = Vec::new();
    for event in events {
        match step::<M>(shard, event) {
            Ok(step) => steps.extend(step),
            Err(obstacle) => return (steps, Some((event.position, obstacle))),
        }
    }
    (steps, None)
}

fn step<M: ReadModel>(shard: Shard, event: &Recorded) -> Result<Option<Step<'_>>, Obstacle> {
    let Some(input) = M::EVENTS.fold_input(event)? else {
        return Ok(None);
    };
    let mut keys = contained(|| M::keys(&input))?;
    keys.retain(|key| shard.holds(*key));
    Ok((!keys.is_empty()).then_some(Step { input, keys }))
}

/// Applies the steps in order.
///
/// # Errors
/// The position of the event it stopped at, and why.
pub(super) fn fold<M: ReadModel>(
    rows: &mut Rows<M>,
    steps: &[Step<'_>],
) -> Result<(), (i64, Obstacle)> {
    for Step { input, keys } in steps {
        let position = input.recorded.position;
        let after = contained(|| {
            let after = |key: &Uuid| (*key, M::fold(*key, rows.get(*key), input));
            keys.iter().map(after).collect::<Vec<_>>()
        });
        for (key, row) in after.map_err(|obstacle| (position, obstacle))? {
            rows.change(key, row, position);
        }
    }
    Ok(())
}

/// A fold is pure, so a panic in it leaves nothing half done.
fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Obstacle> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| Obstacle::Failed(format!("the fold failed: {}", message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

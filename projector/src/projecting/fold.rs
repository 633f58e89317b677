//! Folding a page in memory, without I/O. An event is applied to all of its rows in the shard or to none.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tidemark_events::Recorded;
use tidemark_read_models::{FoldInput, ReadModel, Shard};
use uuid::Uuid;

use super::rows::Rows;
use crate::following::subscriber::EventError;

/// An event that a read model wants, and the rows of the shard that it touches.
pub(super) struct KeyedEvent<'a> {
    pub(super) input: FoldInput<'a>,
    pub(super) keys: Vec<Uuid>,
}

/// The position of an event that cannot be applied, and why.
pub(super) type Blocked = (i64, EventError);

/// The events that touch rows of the shard, up to the first event that cannot be decoded, and the
/// position and error of that event.
pub(super) fn decode<M: ReadModel>(
    shard: Shard,
    events: &[Arc<Recorded>],
) -> (Vec<KeyedEvent<'_>>, Option<Blocked>) {
    let mut keyed = Vec::new();
    for event in events {
        match decode_one::<M>(shard, event) {
            Ok(event) => keyed.extend(event),
            Err(error) => return (keyed, Some((event.position, error))),
        }
    }
    (keyed, None)
}

fn decode_one<M: ReadModel>(
    shard: Shard,
    event: &Recorded,
) -> Result<Option<KeyedEvent<'_>>, EventError> {
    let Some(input) = M::EVENTS.fold_input(event)? else {
        return Ok(None);
    };
    let mut keys = catch_panic(|| M::keys(&input))?;
    keys.retain(|key| shard.holds(*key));
    Ok((!keys.is_empty()).then_some(KeyedEvent { input, keys }))
}

/// Applies events in order.
///
/// # Errors
/// If an event cannot be applied. Those before it are.
pub(super) fn fold<M: ReadModel>(
    rows: &mut Rows<M>,
    events: &[KeyedEvent<'_>],
) -> Result<(), Blocked> {
    for KeyedEvent { input, keys } in events {
        let position = input.recorded.position;
        let folded = catch_panic(|| {
            let fold = |key: &Uuid| (*key, M::fold(*key, rows.get(*key), input));
            keys.iter().map(fold).collect::<Vec<_>>()
        });
        for (key, row) in folded.map_err(|error| (position, error))? {
            rows.change(key, row, position);
        }
    }
    Ok(())
}

/// A fold is pure, so after a panic nothing is half changed and work can continue.
fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, EventError> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| EventError::Failed(format!("the fold failed: {}", message(&*panic))))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

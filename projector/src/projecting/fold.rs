//! Folding a page in memory, without I/O. An event is applied to each of its rows in the shard, except to those that
//! are parked, for which it waits. If it cannot be read, and nothing but its data says which rows it is about, its stream
//! waits.

use std::sync::Arc;

use fail::fail_point;
use tidemark_events::Recorded;
use tidemark_read_models::storage::{ParkedKind, ParkedRow};
use tidemark_read_models::{FoldInput, ReadModel, RowOf, Shard};
use uuid::Uuid;

use super::parking::Parking;
use super::rows::Rows;
use super::skips::Skips;
use crate::following::failure::{EventError, FailureKind};
use crate::following::panics::catch_panic;

/// An event that a read model wants, and that concerns rows of the shard.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are keyed, and a box would cost each an allocation"
)]
pub(super) enum Wanted<'a> {
    /// An event with the rows that it touches, and the id under which its stream may wait, if streams can.
    Keyed {
        input: FoldInput<'a>,
        keys: Vec<Uuid>,
        stream: Option<Uuid>,
    },
    /// An event that cannot be read, and the row that it is about, or its stream.
    Unreadable(ParkedRow),
}

impl Wanted<'_> {
    /// The position of the event.
    pub(super) const fn position(&self) -> i64 {
        match self {
            Self::Keyed { input, .. } => input.recorded.position,
            Self::Unreadable(row) => row.position,
        }
    }

    /// The rows that are needed to apply the event.
    pub(super) fn keys(&self) -> &[Uuid] {
        match self {
            Self::Keyed { keys, .. } => keys,
            Self::Unreadable(_) => &[],
        }
    }
}

/// The position of an event that cannot be applied, and why.
pub(super) type Blocked = (i64, EventError);

/// The events that concern rows of the shard, up to the first event that needs a newer build, and the position and error of
/// that event.
pub(super) fn decode<M: ReadModel>(
    shard: Shard,
    events: &[Arc<Recorded>],
) -> (Vec<Wanted<'_>>, Option<Blocked>) {
    let mut wanted = Vec::new();
    for event in events {
        match decode_one::<M>(shard, event) {
            Ok(event) => wanted.extend(event),
            Err(error) if error.kind() == FailureKind::ThisRow => {
                let row = unreadable::<M>(shard, event, &error);
                wanted.extend(shard.holds(row.id).then_some(Wanted::Unreadable(row)));
            }
            Err(error) => return (wanted, Some((event.position, error))),
        }
    }
    (wanted, None)
}

fn decode_one<M: ReadModel>(
    shard: Shard,
    event: &Recorded,
) -> Result<Option<Wanted<'_>>, EventError> {
    let Some(input) = M::EVENTS.fold_input(event)? else {
        return Ok(None);
    };
    let mut keys = catch_panic("fold", || M::keys(&input)).map_err(EventError::Failed)?;
    keys.retain(|key| shard.holds(*key));
    let stream = (M::ROW_OF == RowOf::Data).then(|| shard.id_of_stream(event.stream_id));
    Ok((!keys.is_empty()).then_some(Wanted::Keyed {
        input,
        keys,
        stream,
    }))
}

/// What waits because an event cannot be read: its row, or its stream.
fn unreadable<M: ReadModel>(shard: Shard, event: &Recorded, error: &EventError) -> ParkedRow {
    let (id, reason) = match M::ROW_OF.id(event) {
        Some(id) => (id, error.to_string()),
        None => (
            shard.id_of_stream(event.stream_id),
            format!("{} {}: {error}", event.aggregate, event.stream_id),
        ),
    };
    ParkedRow {
        id,
        kind: ParkedKind::Stream,
        position: event.position,
        reason,
    }
}

/// Applies events in order, but for those that a row does without. A row to which an event cannot be applied is parked.
pub(super) fn fold<M: ReadModel>(
    rows: &mut Rows<M>,
    parking: &mut Parking,
    skips: &Skips,
    events: Vec<Wanted<'_>>,
) {
    for event in events {
        match event {
            Wanted::Unreadable(row) if skips.leave_out(row.id, row.position) => {}
            Wanted::Unreadable(row) => parking.park(row),
            Wanted::Keyed {
                input,
                stream: Some(stream),
                ..
            } if parking.contains(stream) => parking.wait(stream, input.recorded.position),
            Wanted::Keyed {
                input,
                mut keys,
                stream,
            } => {
                if stream.is_some_and(|it| skips.leave_out(it, input.recorded.position)) {
                    continue;
                }
                keys.retain(|key| !skips.leave_out(*key, input.recorded.position));
                for key in keys {
                    apply(rows, parking, &input, key);
                }
            }
        }
    }
}

fn apply<M: ReadModel>(
    rows: &mut Rows<M>,
    parking: &mut Parking,
    input: &FoldInput<'_>,
    key: Uuid,
) {
    let position = input.recorded.position;
    if parking.contains(key) {
        parking.wait(key, position);
        return;
    }
    let folded = rows.get(key).and_then(|row| fold_row::<M>(key, row, input));
    match folded {
        Ok(row) => rows.change(key, row, position, input.recorded.data.len()),
        Err(reason) => parking.park(ParkedRow {
            id: key,
            kind: ParkedKind::Row,
            position,
            reason,
        }),
    }
}

/// The row after an event.
///
/// # Errors
/// If the fold panics.
pub(super) fn fold_row<M: ReadModel>(
    key: Uuid,
    row: Option<M::Row>,
    input: &FoldInput<'_>,
) -> Result<Option<M::Row>, String> {
    catch_panic("fold", || {
        // A panic that is begun like this is not reported, and so does not end the process as others do where
        // failpoints are built in.
        fail_point!(&format!("projector_fold_{key}"), |_| {
            std::panic::resume_unwind(Box::new("a failpoint"))
        });
        M::fold(key, row, input)
    })
}

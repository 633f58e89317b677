//! Makes one row of all of its events, but for those that operators have skipped.

use std::sync::Arc;

use tidemark_event_store::{FollowError, Log, PageLimits};
use tidemark_events::{LogPoint, Recorded};
use tidemark_read_models::{ReadModel, RowOf, Shard};
use uuid::Uuid;

use super::fold::{Wanted, decode, fold_row};

/// How many events of a stream are read at once. Each may be as large as `executor.event_bytes_max`.
const EVENTS_PER_READ: i64 = 64;
/// How much of the log is looked through at once for the events of a row that are in many streams.
const LOG_EVENTS_PER_READ: i64 = 4_096;
/// The size of the events that are read at once then.
const LOG_BYTES_PER_READ: i64 = 16 * 1024 * 1024;
/// A row of more than this is not made anew because an operator wants it, since its shard would wait too long.
pub(crate) const ORDERED_MAX: PageLimits = PageLimits {
    events: 20_000,
    bytes: 64 * 1024 * 1024,
};

/// Of which events a row is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Events<'a> {
    /// It is made of the events before this position.
    pub(crate) before: i64,
    /// It is made without the events at these positions.
    pub(crate) without: &'a [i64],
    /// It is not made of more events than these, or of events that take more bytes.
    pub(crate) max: Option<PageLimits>,
}

/// The row that its events add up to. The inner error says why it cannot be made.
///
/// # Errors
/// If the log cannot be read.
pub(crate) async fn made_row<M: ReadModel>(
    log: &Log,
    id: Uuid,
    of: Events<'_>,
) -> sqlx::Result<Result<Option<M::Row>, String>> {
    match M::ROW_OF {
        RowOf::Stream => of_stream::<M>(log, id, of).await,
        RowOf::Event => {
            let position = log.position_of(id).await?;
            let events = log.at(position.as_slice()).await?;
            Ok(folded::<M>(id, None, events, of))
        }
        RowOf::Data => of_log::<M>(log, id, of).await,
    }
}

async fn of_stream<M: ReadModel>(
    log: &Log,
    id: Uuid,
    of: Events<'_>,
) -> sqlx::Result<Result<Option<M::Row>, String>> {
    let (mut row, mut read) = (None, Read::default());
    loop {
        let mut events = log.stream(id, read.events, EVENTS_PER_READ).await?;
        events.retain(|event| event.position < of.before);
        let is_last = i64::try_from(events.len()).is_ok_and(|it| it < EVENTS_PER_READ);
        read.add(&events);
        if let Some(max) = of.max.filter(|max| read.exceeds(*max)) {
            let PageLimits { events, bytes } = max;
            return Ok(Err(format!(
                "it takes more than {events} events, or more than {bytes} bytes of them; only a rebuild of the read model makes it"
            )));
        }
        row = match folded::<M>(id, row, events, of) {
            Ok(row) => row,
            Err(reason) => return Ok(Err(reason)),
        };
        if is_last {
            return Ok(Ok(row));
        }
    }
}

/// How much of a stream was read. Its versions have no gaps, so the number of events is the version of the last.
#[derive(Default)]
struct Read {
    events: i64,
    bytes: i64,
}

impl Read {
    fn add(&mut self, events: &[Recorded]) {
        self.events = events.last().map_or(self.events, |event| event.version);
        let bytes: usize = events.iter().map(|event| event.data.len()).sum();
        self.bytes = self.bytes.saturating_add_unsigned(bytes as u64);
    }

    const fn exceeds(&self, max: PageLimits) -> bool {
        self.events > max.events || self.bytes > max.bytes
    }
}

/// Looks through the log for the events of the row. That takes as long as a build that reads the log alone.
async fn of_log<M: ReadModel>(
    log: &Log,
    id: Uuid,
    of: Events<'_>,
) -> sqlx::Result<Result<Option<M::Row>, String>> {
    if of.max.is_some() {
        return Ok(Err("its events are in many streams".to_owned()));
    }
    let (types, last) = (M::EVENTS.types(), of.before - 1);
    let (mut row, mut after) = (None, LogPoint::START);
    while after.position < last {
        let up_to = last.min(after.position + LOG_EVENTS_PER_READ);
        let events = match log.follow(after, up_to, types, LOG_BYTES_PER_READ).await {
            Ok(events) => events,
            Err(FollowError::Database(error)) => return Err(error),
            Err(error @ FollowError::OtherLog(_)) => return Ok(Err(error.to_string())),
        };
        let Some(end) = events.last().map(Recorded::point) else {
            break;
        };
        after = end;
        row = match folded::<M>(id, row, events, of) {
            Ok(row) => row,
            Err(reason) => return Ok(Err(reason)),
        };
    }
    Ok(Ok(row))
}

fn folded<M: ReadModel>(
    id: Uuid,
    mut row: Option<M::Row>,
    events: Vec<Recorded>,
    of: Events<'_>,
) -> Result<Option<M::Row>, String> {
    let is_of_row =
        |event: &Recorded| event.position < of.before && !of.without.contains(&event.position);
    let events: Vec<_> = events.into_iter().filter(is_of_row).map(Arc::new).collect();
    let (wanted, blocked) = decode::<M>(Shard::ONLY, &events);
    for event in wanted {
        match event {
            Wanted::Keyed { input, keys, .. } if keys.contains(&id) => {
                row = fold_row::<M>(id, row, &input)?;
            }
            Wanted::Keyed { .. } => {}
            Wanted::Unreadable(parked) => return Err(parked.reason),
        }
    }
    match blocked {
        Some((_, error)) => Err(error.to_string()),
        None => Ok(row),
    }
}

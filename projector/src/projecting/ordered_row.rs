//! Operators' orders about one row: to make it anew from all of its events, or to try a parked one again. An order is an
//! event of the log, and is carried out when a worker comes to it. So the row has all events before it, once, whatever
//! happens meanwhile; every generation carries it out, also one that is built later.

use std::sync::Arc;

use tidemark_event_store::Log;
use tidemark_events::operations::repair;
use tidemark_events::{Event, Recorded};
use tidemark_read_models::storage::Ordered;
use tidemark_read_models::{ReadModel, RowOf, Shard};
use uuid::Uuid;

use super::fold::{Wanted, decode, fold, fold_row};
use super::worker::{ORDER_TYPES, Worker};
use crate::following::failure::SubscriberError;
use crate::following::page::Page;

/// How many events of a stream are read at once. Each may be as large as `executor.event_bytes_max`.
const EVENTS_PER_READ: i64 = 64;
/// A row of more events than this is not made anew alone, because its shard would wait too long.
pub(crate) const EVENTS_MAX: i64 = 20_000;

/// What an operator orders about a row.
enum Order {
    /// It is made anew from all of its events.
    MakeAnew(Uuid),
    /// It is tried again, if it is parked.
    TryAgain(Ordered),
}

/// The orders of a page after `after` about rows of a shard, each with its position.
fn in_page<M: ReadModel>(shard: Shard, page: &Page, after: i64) -> Vec<(i64, Order)> {
    let is_order = |event: &&Arc<Recorded>| ORDER_TYPES.contains(&event.event_type.as_str());
    let events = page.events.iter().filter(is_order);
    let orders = events.filter(|event| event.position > after);
    let orders = orders.filter_map(|event| {
        let Ok(Event::Repair(repair)) = event.decode() else {
            return None;
        };
        let (read_model, id, order) = match repair {
            repair::Event::RebuildRequested {
                read_model, row_id, ..
            } => (read_model, row_id.0, Order::MakeAnew(row_id.0)),
            repair::Event::RetryRequested {
                read_model, row_id, ..
            } => {
                let (id, without) = (row_id.0, None);
                (read_model, id, Order::TryAgain(Ordered { id, without }))
            }
            repair::Event::SkipRequested {
                read_model,
                row_id,
                position,
                ..
            } => {
                let (id, without) = (row_id.0, Some(position));
                (read_model, id, Order::TryAgain(Ordered { id, without }))
            }
        };
        let is_here = read_model.as_str() == M::NAME && shard.holds(id);
        is_here.then_some((event.position, order))
    });
    orders.collect()
}

impl<M: ReadModel> Worker<M> {
    /// Applies the events of a page after `after` in order, and carries out the orders among them, up to the position at
    /// which this ends.
    pub(super) async fn fold(
        &mut self,
        page: &Page,
        after: i64,
        mut events: Vec<Wanted<'_>>,
        ends_at: Option<i64>,
    ) -> Result<(), SubscriberError> {
        for (position, order) in in_page::<M>(self.storage.shard(), page, after) {
            if ends_at.is_some_and(|at| position > at) {
                break;
            }
            let before = events.partition_point(|event| event.position() < position);
            let after = events.split_off(before);
            fold::<M>(&mut self.rows, &mut self.parking, events);
            match order {
                Order::MakeAnew(id) => self.make_anew(id, position).await?,
                Order::TryAgain(ordered) => self.parking.order(ordered),
            }
            events = after;
        }
        fold::<M>(&mut self.rows, &mut self.parking, events);
        Ok(())
    }

    /// Puts a row that is made of all of its events before `position` in the place of the one that there is. If it cannot
    /// be made, or is parked, the row stays as it is.
    async fn make_anew(&mut self, id: Uuid, position: i64) -> Result<(), SubscriberError> {
        let made = if self.parking.contains(id) {
            Err("it is parked".to_owned())
        } else if M::ROW_OF == RowOf::Data {
            Err("its events are in many streams".to_owned())
        } else {
            made_of_events::<M>(&self.log, id, position).await?
        };
        match made {
            Ok(row) => {
                tracing::info!(read_model = M::NAME, row = %id, position, "a row is made anew");
                self.rows.change(id, row, position, 0);
            }
            Err(reason) => {
                tracing::error!(read_model = M::NAME, row = %id, position, reason, "a row cannot be made anew");
            }
        }
        Ok(())
    }
}

/// The row that all events before `position` add up to. The inner error says why it cannot be made.
///
/// # Errors
/// If the log cannot be read.
pub(crate) async fn made_of_events<M: ReadModel>(
    log: &Log,
    id: Uuid,
    position: i64,
) -> sqlx::Result<Result<Option<M::Row>, String>> {
    let (mut row, mut after_version) = (None, 0);
    loop {
        let mut events = events_of::<M>(log, id, after_version).await?;
        let is_last = i64::try_from(events.len()).is_ok_and(|read| read < EVENTS_PER_READ);
        after_version += EVENTS_PER_READ;
        events.retain(|event| event.position < position);
        row = match folded::<M>(id, row, &events) {
            Ok(row) => row,
            Err(reason) => return Ok(Err(reason)),
        };
        if is_last {
            return Ok(Ok(row));
        }
        if after_version >= EVENTS_MAX {
            return Ok(Err("it has too many events".to_owned()));
        }
    }
}

/// The next events that the row may take.
async fn events_of<M: ReadModel>(
    log: &Log,
    id: Uuid,
    after_version: i64,
) -> sqlx::Result<Vec<Arc<Recorded>>> {
    let events = match M::ROW_OF {
        RowOf::Stream => log.stream(id, after_version, EVENTS_PER_READ).await?,
        RowOf::Event => {
            let position = log.position_of(id).await?;
            log.at(position.as_slice()).await?
        }
        RowOf::Data => Vec::new(),
    };
    Ok(events.into_iter().map(Arc::new).collect())
}

fn folded<M: ReadModel>(
    id: Uuid,
    mut row: Option<M::Row>,
    events: &[Arc<Recorded>],
) -> Result<Option<M::Row>, String> {
    let (wanted, blocked) = decode::<M>(Shard::ONLY, events);
    for event in wanted {
        match event {
            Wanted::Keyed { input, keys } if keys.contains(&id) => {
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

//! Operators' orders about one row: to make it anew from all of its events, to try a parked one again, or to leave an event
//! out of it. An order is an event of the log, and is carried out when a worker comes to it. So the row has all events
//! before it, once, whatever happens meanwhile; every generation carries it out, also one that is built later.

use std::sync::Arc;

use tidemark_events::operations::repair;
use tidemark_events::{Event, LogPoint, Recorded};
use tidemark_read_models::storage::{Ordered, ParkedKind, ParkedRow, Skip};
use tidemark_read_models::{ReadModel, RowOf, Shard};
use uuid::Uuid;

use super::fold::{Wanted, fold};
use super::made_row::{Events, ORDERED_MAX, made_row};
use super::rows::{RowError, read_row};
use super::worker::{ORDER_TYPES, Worker};
use crate::following::failure::SubscriberError;
use crate::following::page::Page;

/// What an operator orders about a row.
enum Order {
    /// It is made anew from all of its events.
    MakeAnew(Uuid),
    /// It is tried again, if it is parked.
    TryAgain(Uuid),
    /// It does without an event, and is tried again if it is parked.
    Skip(Skip),
}

/// The orders of a page after `after` about rows of a shard, each with the point where it is.
fn in_page<M: ReadModel>(shard: Shard, page: &Page, after: i64) -> Vec<(LogPoint, Order)> {
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
                let id = shard.id_here(row_id.0);
                (read_model, id, Order::TryAgain(id))
            }
            repair::Event::SkipRequested {
                read_model,
                row_id,
                position,
                ..
            } => {
                let skip = Skip {
                    id: shard.id_here(row_id.0),
                    position,
                    ordered_at: event.position,
                };
                (read_model, skip.id, Order::Skip(skip))
            }
        };
        let is_here = read_model.as_str() == M::NAME && shard.holds(id);
        is_here.then_some((event.point(), order))
    });
    orders.collect()
}

impl<M: ReadModel> Worker<M> {
    /// Applies the events of a page after `after` in order, and carries out the orders among them, up to the position at
    /// which this ends. If an order leaves much to be written, or has taken long, it stops there, and returns where that is and
    /// the other events: however many orders there are, the checkpoint moves.
    pub(super) async fn fold<'a>(
        &mut self,
        page: &Page,
        after: i64,
        mut events: Vec<Wanted<'a>>,
        ends_at: i64,
    ) -> Result<Option<(LogPoint, Vec<Wanted<'a>>)>, SubscriberError> {
        for (at, order) in in_page::<M>(self.storage.shard(), page, after) {
            let position = at.position;
            if position > ends_at {
                break;
            }
            let before = events.partition_point(|event| event.position() < position);
            let after = events.split_off(before);
            fold::<M>(&mut self.rows, &mut self.parking, &self.skips, events);
            match order {
                Order::MakeAnew(id) => self.make_anew(id, position).await?,
                Order::TryAgain(id) => self.parking.order(Ordered { id, without: None }),
                Order::Skip(skip) => self.skip(skip).await?,
            }
            events = after;
            if !self.may_defer_writing(at) {
                return Ok(Some((at, events)));
            }
        }
        fold::<M>(&mut self.rows, &mut self.parking, &self.skips, events);
        Ok(None)
    }

    /// Has a row go on without an event. Whether the row is parked, has the event, or never had it, the order is the last
    /// event of the row afterwards, so that it is the same row in every generation.
    async fn skip(&mut self, skip: Skip) -> Result<(), SubscriberError> {
        let Skip {
            id,
            position,
            ordered_at,
        } = skip;
        let has_left_out = self.skips.has_left_out(skip);
        self.skips.add(skip);
        // Postgres may refuse the row only when it is written, with what has been changed until now.
        self.parking.order(Ordered {
            id,
            without: Some(position),
        });
        if self.parking.contains(id) {
            self.parking.wait(id, ordered_at);
            return Ok(());
        }
        if Shard::is_of_stream(id) {
            // What rows have of a stream, they keep.
            return Ok(());
        }
        if has_left_out {
            return self.touch(id, ordered_at).await;
        }
        let made = match M::ROW_OF {
            RowOf::Stream | RowOf::Event => self.made_anew(id, ordered_at).await?,
            RowOf::Data => Err("its events are in many streams".to_owned()),
        };
        match made {
            Ok(row) => self.rows.change(id, row, ordered_at, 0),
            // What takes longer than a page may, is done when parked rows are tried.
            Err(reason) => self.parking.park(ParkedRow {
                id,
                kind: ParkedKind::Row,
                position: ordered_at,
                reason: format!("it has the event at {position}, which is skipped: {reason}"),
            }),
        }
        Ok(())
    }

    /// Notes an event that leaves a row as it is.
    async fn touch(&mut self, id: Uuid, position: i64) -> Result<(), SubscriberError> {
        if !self.rows.contains(id) {
            for stored in self.storage.rows(&[id], usize::MAX).await? {
                let row = match stored.document.as_ref().map(|_| read_row::<M>(&stored)) {
                    None => Ok(None),
                    Some(Ok(row)) => Ok(Some(row)),
                    Some(Err(RowError::Unreadable(error))) => Err(error),
                    // The build that wrote it has it as it should be, and this one leaves it alone.
                    Some(Err(RowError::Newer)) => return Ok(()),
                };
                self.rows.insert_stored(id, row, stored.size());
            }
        }
        match self.rows.get(id) {
            Ok(Some(row)) => self.rows.change(id, Some(row), position, 0),
            Ok(None) => {}
            Err(reason) => self.parking.park(ParkedRow {
                id,
                kind: ParkedKind::Row,
                position,
                reason,
            }),
        }
        Ok(())
    }

    /// Puts a row that is made anew in the place of the one that there is. If it cannot be made, or is parked, the row stays
    /// as it is.
    async fn make_anew(&mut self, id: Uuid, position: i64) -> Result<(), SubscriberError> {
        let made = if self.parking.contains(id) {
            Err("it is parked".to_owned())
        } else {
            self.made_anew(id, position).await?
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

    /// The row that is made of all of its events before `position`, without those that operators have skipped, or why it
    /// cannot be made while others wait.
    async fn made_anew(
        &self,
        id: Uuid,
        position: i64,
    ) -> Result<Result<Option<M::Row>, String>, SubscriberError> {
        let events = Events {
            before: position,
            without: &self.skips.in_row(id, position),
            max: Some(ORDERED_MAX),
        };
        Ok(made_row::<M>(&self.log, id, events).await?)
    }
}

//! A session with Kafka whose partitions are merged into the order of the log.

use rdkafka::error::{KafkaError, KafkaResult};
use tidemark_events::Recorded;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

use super::counts::{Counter, FeedCounts};
use super::merge::{Merge, Offer};
use super::session::{ReadRecord, Session};
use crate::PageLimits;
use crate::kafka::{Record, Settings, Timeline};

/// A session and the merge of its partitions.
pub(super) struct MergedSession {
    session: Session,
    merge: Merge,
    /// The timeline of the log. Records of others are dropped.
    timeline: Timeline,
    /// Records of a later timeline, if the log may have gone on under that.
    later: Option<Later>,
    request: Option<EndsRequest>,
    gap_check: Option<GapCheck>,
    /// Whether every record that had arrived was read.
    is_drained: bool,
}

/// Records of which it is not known yet whether they are of the log.
#[derive(Clone, Copy)]
struct Later {
    timeline: Timeline,
    records: usize,
    /// The position of the first.
    position: i64,
}

/// A request for the ends of the partitions, which Kafka has not answered yet.
struct EndsRequest {
    confirmed: i64,
    answer: Receiver<KafkaResult<Vec<i64>>>,
}

/// What must be known to decide that an event is missing in Kafka.
struct GapCheck {
    confirmed: i64,
    /// The offsets at which the partitions ended after the relay had confirmed `confirmed`.
    ends: Vec<i64>,
}

impl MergedSession {
    /// Opens a session, for the events after `last_position`. It follows no timeline yet. This blocks the thread.
    pub(super) fn open(settings: &Settings, last_position: i64) -> KafkaResult<Self> {
        let (session, ends) = Session::open(settings)?;
        let merge = Merge::new(last_position, &ends);
        Ok(Self {
            session,
            merge,
            timeline: 0,
            later: None,
            request: None,
            gap_check: None,
            is_drained: false,
        })
    }

    /// The next events of the log among the records that have arrived. Reads as many records as `max` allows.
    pub(super) fn collect(
        &mut self,
        max: PageLimits,
        counts: &mut FeedCounts,
    ) -> KafkaResult<Vec<Recorded>> {
        if let Some((partition, read)) = self.session.poll_client()? {
            self.offer(partition, read, counts);
        }
        let mut is_empty = vec![false; self.session.partitions()];
        let mut left = max;
        let mut events = Vec::new();
        loop {
            for (partition, is_empty) in is_empty.iter_mut().enumerate() {
                while left.events > 0 && left.bytes > 0 && !*is_empty && self.merge.wants(partition)
                {
                    match self.session.poll(partition)? {
                        Some(read) => {
                            left.events -= 1;
                            left.bytes -= read.size();
                            self.offer(partition, read, counts);
                        }
                        None => *is_empty = true,
                    }
                }
            }
            match self.merge.take() {
                Some(event) => events.push(event),
                None => break,
            }
        }
        self.is_drained = left.events > 0 && left.bytes > 0;
        Ok(events)
    }

    fn offer(&mut self, partition: usize, read: ReadRecord, counts: &mut FeedCounts) {
        let event = match read.record {
            Some(record) if record.timeline == self.timeline => Some(record.event),
            Some(record) => {
                self.drop_other_timeline(&record, counts);
                None
            }
            None => {
                counts.add(Counter::Broken, 1);
                None
            }
        };
        if self.merge.offer(partition, read.offset, event) == Offer::Dropped {
            counts.add(Counter::Dropped, 1);
        }
    }

    /// Drops a record of another timeline, and counts it, unless the log may have gone on under that since it was asked.
    fn drop_other_timeline(&mut self, record: &Record, counts: &mut FeedCounts) {
        let (timeline, position) = (record.timeline, record.event.position);
        if timeline > self.timeline && self.later.is_none_or(|it| it.timeline == timeline) {
            let first = Later {
                timeline,
                records: 0,
                position,
            };
            self.later.get_or_insert(first).records += 1;
        } else {
            count_foreign(timeline, position, 1, counts);
        }
    }

    /// Takes records of this timeline, which is the log's, from now on, and of no other. What was dropped of it is missing, and is read
    /// from the log.
    pub(super) fn follow_timeline(&mut self, timeline: Timeline, counts: &mut FeedCounts) {
        self.timeline = timeline;
        if let Some(later) = self.later.take()
            && later.timeline != timeline
        {
            count_foreign(later.timeline, later.position, later.records, counts);
        }
    }

    /// Drops the events that are not in the log, which ends at `head`: those that wait, and `collected` ones that were
    /// taken from here already.
    pub(super) fn drop_beyond(&mut self, head: i64, collected: usize, counts: &mut FeedCounts) {
        let records = collected + self.merge.drop_beyond(head);
        if records > 0 {
            tracing::error!(
                head,
                records,
                "Kafka holds events that are ahead of the log"
            );
        }
        counts.add(Counter::Foreign, records);
        // The partitions of those that waited may have more, which nothing announces.
        self.is_drained &= records == 0;
    }

    /// Notes that every event up to `position` was given from the log.
    pub(super) fn skip_to(&mut self, position: i64, counts: &mut FeedCounts) {
        counts.add(Counter::Dropped, self.merge.skip_to(position));
    }

    /// Begins to check for a gap, given that the relay has confirmed every event up to `confirmed`: an
    /// event up to there that is not in Kafka by now is missing.
    pub(super) fn check_for_gap(&mut self, confirmed: i64) {
        let last = self.merge.last_position();
        let checked = self.gap_check.as_ref().map_or(0, |check| check.confirmed);
        // A check that the merge has not passed yet must be decided first.
        if self.request.is_none() && confirmed > last && checked <= last {
            let answer = self.session.ends();
            self.request = Some(EndsRequest { confirmed, answer });
        }
    }

    /// The last position of a gap that Kafka will not fill; `None` if no gap is known.
    pub(super) fn missing(&mut self) -> KafkaResult<Option<i64>> {
        self.take_ends()?;
        let missing = |check: &GapCheck| self.merge.missing(check.confirmed, &check.ends);
        Ok(self.gap_check.as_ref().and_then(missing))
    }

    /// Takes the answer to the request for the ends, if it has come.
    fn take_ends(&mut self) -> KafkaResult<()> {
        let Some(EndsRequest { confirmed, answer }) = &mut self.request else {
            return Ok(());
        };
        let ends = match answer.try_recv() {
            Ok(ends) => ends?,
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Closed) => return Err(KafkaError::Canceled),
        };
        self.gap_check = Some(GapCheck {
            confirmed: *confirmed,
            ends,
        });
        self.request = None;
        Ok(())
    }

    /// Waits until there may be something to collect.
    pub(super) async fn arrived(&self) {
        if self.is_drained {
            self.session.arrived().await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

fn count_foreign(timeline: Timeline, position: i64, records: usize, counts: &mut FeedCounts) {
    tracing::error!(
        timeline,
        position,
        records,
        "Kafka holds events of another timeline"
    );
    counts.add(Counter::Foreign, records);
}

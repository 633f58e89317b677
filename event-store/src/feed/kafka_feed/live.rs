//! Following Kafka: one session, merged.

use rdkafka::error::{KafkaError, KafkaResult};
use tidemark_events::Recorded;
use tokio::sync::oneshot::Receiver;
use tokio::sync::oneshot::error::TryRecvError;

use super::counts::{Counts, Kind};
use super::merge::{Merge, Offer};
use super::session::{Read, Session};
use crate::kafka::Settings;

/// A session and the merge of its partitions.
pub(super) struct Live {
    session: Session,
    merge: Merge,
    question: Option<Question>,
    suspicion: Option<Suspicion>,
    /// Everything that had arrived was read.
    dry: bool,
}

/// Kafka was asked where the partitions end, and has not answered yet.
struct Question {
    confirmed: i64,
    answer: Receiver<KafkaResult<Vec<i64>>>,
}

/// What must be known to call a position missing.
struct Suspicion {
    confirmed: i64,
    /// Where the partitions ended, noted after `confirmed` was read.
    ends: Vec<i64>,
}

impl Live {
    /// Notes where each partition ends, and follows them from there. Blocks.
    pub(super) fn open(settings: &Settings, last: i64) -> KafkaResult<Self> {
        let (session, ends) = Session::open(settings)?;
        let merge = Merge::new(last, &ends);
        Ok(Self {
            session,
            merge,
            question: None,
            suspicion: None,
            dry: false,
        })
    }

    /// Merges what has arrived, reading at most `max` records.
    pub(super) fn collect(
        &mut self,
        max: usize,
        counts: &mut Counts,
    ) -> KafkaResult<Vec<Recorded>> {
        if let Some((partition, read)) = self.session.serve()? {
            self.offer(partition, read, counts);
        }
        let mut silent = vec![false; self.session.partitions()];
        let mut left = max;
        let mut events = Vec::new();
        loop {
            for (partition, silent) in silent.iter_mut().enumerate() {
                while left > 0 && !*silent && self.merge.wants(partition) {
                    match self.session.poll(partition)? {
                        Some(read) => {
                            left -= 1;
                            self.offer(partition, read, counts);
                        }
                        None => *silent = true,
                    }
                }
            }
            match self.merge.take() {
                Some(event) => events.push(event),
                None => break,
            }
        }
        self.dry = left > 0;
        counts.add(Kind::Merged, events.len());
        Ok(events)
    }

    fn offer(&mut self, partition: usize, Read { offset, event }: Read, counts: &mut Counts) {
        match self.merge.offer(partition, offset, event) {
            Offer::Kept => {}
            Offer::Dropped => counts.add(Kind::Dropped, 1),
            Offer::Broken => counts.add(Kind::Broken, 1),
        }
    }

    /// The log gave everything up to `position`.
    pub(super) fn skip_to(&mut self, position: i64, counts: &mut Counts) {
        counts.add(Kind::Dropped, self.merge.skip_to(position));
    }

    /// Notes that the relay has confirmed `confirmed`: what is up to there and not in Kafka by now
    /// is missing.
    pub(super) fn suspect(&mut self, confirmed: i64) {
        let known = self
            .suspicion
            .as_ref()
            .map_or(0, |suspicion| suspicion.confirmed);
        // One that the merge has not got past yet is still to be answered.
        if self.question.is_none() && confirmed > self.merge.last() && known <= self.merge.last() {
            let answer = self.session.ends();
            self.question = Some(Question { confirmed, answer });
        }
    }

    /// The last position of a gap that Kafka will not fill.
    pub(super) fn missing(&mut self) -> KafkaResult<Option<i64>> {
        self.note_answer()?;
        let missing = |known: &Suspicion| self.merge.missing(known.confirmed, &known.ends);
        Ok(self.suspicion.as_ref().and_then(missing))
    }

    fn note_answer(&mut self) -> KafkaResult<()> {
        let Some(Question { confirmed, answer }) = &mut self.question else {
            return Ok(());
        };
        let ends = match answer.try_recv() {
            Ok(ends) => ends?,
            Err(TryRecvError::Empty) => return Ok(()),
            Err(TryRecvError::Closed) => return Err(KafkaError::Canceled),
        };
        self.suspicion = Some(Suspicion {
            confirmed: *confirmed,
            ends,
        });
        self.question = None;
        Ok(())
    }

    /// Waits until there may be something to collect.
    pub(super) async fn arrived(&self) {
        if self.dry {
            self.session.arrived().await;
        } else {
            tokio::task::yield_now().await;
        }
    }
}

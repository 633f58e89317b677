//! A copy of the topics as they grow, in which records are duplicated, reordered or dropped, or stand beside others that
//! no relay of this log has written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use rdkafka::{Offset, TopicPartitionList};
use tidemark_events::Aggregate;

use super::{TIMEOUT, client};
use crate::stack::Stack;

/// Records of one partition that are changed together.
const BLOCK: usize = 100;
/// How long a record waits for others of its block: less than the feed waits before it reads the
/// log.
const LINGER: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(20);

static MADE: AtomicU32 = AtomicU32::new(0);

/// How the copy differs from the topics.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// All records come again when [`Mirror::repeat_all`] is called.
    DuplicateAll,
    /// One of ten records comes twice.
    DuplicateSome,
    /// Each two neighbours of a partition change places.
    SwapNeighbours,
    /// Each hundred records of a partition come backwards.
    ReverseBlocks,
    /// One of fifty records does not come.
    DropSome,
    /// Before one of ten records comes one that holds no event.
    AddJunk,
    /// Before one of ten records comes its event as if it were of another timeline.
    AddForeign,
}

/// A growing copy of the topics. It stops growing when this is dropped.
pub(super) struct Mirror {
    topic_prefix: String,
    flags: Arc<Flags>,
}

#[derive(Default)]
struct Flags {
    stop: AtomicBool,
    repeat: AtomicBool,
}

struct Worker {
    consumer: BaseConsumer,
    producer: ThreadedProducer<DefaultProducerContext>,
    from: String,
    to: String,
    change: Change,
    rng: StdRng,
    blocks: BTreeMap<(String, i32), Vec<OwnedMessage>>,
    /// Everything that was copied so far, if it is to come again.
    all: Vec<OwnedMessage>,
    flags: Arc<Flags>,
}

impl Mirror {
    /// Makes topics, and copies to them what is published from now on.
    pub(super) async fn start(stack: &Stack, change: Change, rng: &mut StdRng) -> Self {
        let kafka = stack.settings.config().kafka;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let topic_prefix = format!("{}-mirror-{number}", kafka.topic_prefix);
        let admin: AdminClient<DefaultClientContext> = client(stack).create().unwrap();
        let names: Vec<_> = Aggregate::ALL
            .iter()
            .map(|aggregate| aggregate.topic(&topic_prefix))
            .collect();
        let new = |name| NewTopic::new(name, kafka.partitions, TopicReplication::Fixed(1));
        let topics: Vec<_> = names.iter().map(|name| new(name)).collect();
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        admin.create_topics(&topics, &options).await.unwrap();
        let flags = Arc::new(Flags::default());
        let worker = Worker {
            consumer: client(stack).create().unwrap(),
            producer: client(stack).create().unwrap(),
            from: kafka.topic_prefix,
            to: topic_prefix.clone(),
            change,
            rng: StdRng::seed_from_u64(rng.random()),
            blocks: BTreeMap::new(),
            all: Vec::new(),
            flags: flags.clone(),
        };
        let mut assignment = TopicPartitionList::new();
        for aggregate in Aggregate::ALL {
            for number in 0..kafka.partitions {
                let topic = aggregate.topic(&worker.from);
                assignment
                    .add_partition_offset(&topic, number, Offset::End)
                    .unwrap();
            }
        }
        worker.consumer.assign(&assignment).unwrap();
        thread::spawn(move || worker.work());
        Self {
            topic_prefix,
            flags,
        }
    }

    /// The prefix of the copy's topics.
    pub(super) fn topic_prefix(&self) -> &str {
        &self.topic_prefix
    }

    /// Lets all records come again if the change is [`Change::DuplicateAll`].
    pub(super) fn repeat_all(&self) {
        self.flags.repeat.store(true, Ordering::Relaxed);
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.flags.stop.store(true, Ordering::Relaxed);
    }
}

impl Worker {
    fn work(mut self) {
        let mut published_at = Instant::now();
        while !self.flags.stop.load(Ordering::Relaxed) {
            // Errors are ignored: a broker that is away comes back.
            if let Some(Ok(message)) = self.consumer.poll(POLL) {
                let message = message.detach();
                let key = (message.topic().to_owned(), message.partition());
                self.blocks.entry(key).or_default().push(message);
            }
            let is_full = self.blocks.values().any(|block| block.len() >= BLOCK);
            if is_full || published_at.elapsed() > LINGER {
                for block in std::mem::take(&mut self.blocks).into_values() {
                    let changed = self.changed(block);
                    self.publish(&changed);
                }
                published_at = Instant::now();
            }
            if self.flags.repeat.swap(false, Ordering::Relaxed) {
                let all = std::mem::take(&mut self.all);
                self.publish(&all);
            }
        }
        let _ = self.producer.flush(Timeout::After(TIMEOUT));
    }

    fn changed(&mut self, mut block: Vec<OwnedMessage>) -> Vec<OwnedMessage> {
        match self.change {
            Change::DuplicateAll => self.all.extend(block.iter().cloned()),
            Change::DuplicateSome => return self.with_others(block, OwnedMessage::clone),
            Change::AddJunk => return self.with_others(block, junk),
            Change::AddForeign => return self.with_others(block, foreign),
            Change::SwapNeighbours => block.chunks_mut(2).for_each(<[_]>::reverse),
            Change::ReverseBlocks => block.reverse(),
            Change::DropSome => block.retain(|_| self.rng.random_range(0..50) != 0),
        }
        block
    }

    /// The block, with another record before one of ten.
    fn with_others(
        &mut self,
        block: Vec<OwnedMessage>,
        other: fn(&OwnedMessage) -> OwnedMessage,
    ) -> Vec<OwnedMessage> {
        let mut with_others = Vec::new();
        for message in block {
            if self.rng.random_range(0..10) == 0 {
                with_others.push(other(&message));
            }
            with_others.push(message);
        }
        with_others
    }

    fn publish(&self, messages: &[OwnedMessage]) {
        for message in messages {
            let topic = message.topic().replacen(&self.from, &self.to, 1);
            let record = BaseRecord::to(&topic)
                .partition(message.partition())
                .key(message.key().unwrap())
                .payload(message.payload().unwrap())
                .headers(message.headers().unwrap().clone());
            self.producer
                .send(record)
                .map_err(|(error, _)| error)
                .unwrap();
        }
    }
}

/// A record in the place of `message` that holds no event.
fn junk(message: &OwnedMessage) -> OwnedMessage {
    let payload = b"not an event".to_vec();
    let headers = OwnedHeaders::new();
    beside(message, payload, headers)
}

/// The record of `message` as if it were of another timeline.
fn foreign(message: &OwnedMessage) -> OwnedMessage {
    let headers = message.headers().unwrap().iter();
    let headers = headers.fold(OwnedHeaders::new(), |headers, header| {
        let is_timeline = header.key == "ce_timeline";
        let value = header.value.filter(|_| !is_timeline).unwrap_or(b"7");
        headers.insert(Header {
            key: header.key,
            value: Some(value),
        })
    });
    beside(message, message.payload().unwrap().to_vec(), headers)
}

fn beside(message: &OwnedMessage, payload: Vec<u8>, headers: OwnedHeaders) -> OwnedMessage {
    OwnedMessage::new(
        Some(payload),
        message.key().map(<[u8]>::to_vec),
        message.topic().to_owned(),
        message.timestamp(),
        message.partition(),
        message.offset(),
        Some(headers),
    )
}

//! Why a term of the relay ends.

use std::io;

use rdkafka::error::KafkaError;

use crate::FollowError;

/// What ended a term. The relay tries to begin another one after each; only after an alarm somebody
/// must have acted before it publishes again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("Postgres did not read the log or write the progress: {0}")]
    Log(#[from] sqlx::Error),
    #[error("{0}")]
    OtherLog(FollowError),
    #[error("Kafka cannot be reached: {0}")]
    Kafka(#[from] KafkaError),
    #[error("no thread can be started for the reports of the producer: {0}")]
    Thread(#[from] io::Error),
    #[error("the event at position {position} was not delivered: {error}")]
    Delivery { position: i64, error: KafkaError },
    #[error("the event at position {position} has not been acknowledged in time")]
    Unacknowledged { position: i64 },
    #[error("the lease is lost")]
    LeaseLost,
    #[error("another term has taken over the progress")]
    Fenced,
    #[error("topic {0} does not exist")]
    NoTopic(String),
    #[error(
        "the event at position {position} got offset {offset}, below {expected}: the topic was replaced"
    )]
    TopicReplaced {
        position: i64,
        offset: i64,
        expected: i64,
    },
    #[error("reading back what the partitions hold made no progress in time")]
    RecoveryStalled,
    #[error("the process is ending")]
    Ending,
    #[error("this build knows no aggregate `{0}`")]
    UnknownAggregate(String),
    #[error(
        "topic {topic} has {found} partitions, was created with {recorded}, and {configured} are configured"
    )]
    PartitionCount {
        topic: String,
        configured: i32,
        recorded: i32,
        found: i32,
    },
    #[error("offset {offset} of {topic}/{partition} holds a record that is not in the log")]
    Diverged {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error(
        "offset {offset} of {topic}/{partition} holds a record that is not in the log, and consumers could not tell it \
         from those that follow: declare the fork first, then the topics are adopted"
    )]
    UndeclaredFork {
        topic: String,
        partition: i32,
        offset: i64,
    },
    #[error("position {position} was published, but the log ends at {head}")]
    AheadOfLog { position: i64, head: i64 },
}

impl From<FollowError> for Error {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Database(error) => Self::Log(error),
            FollowError::OtherLog(_) => Self::OtherLog(error),
        }
    }
}

impl Error {
    /// Whether log and topics contradict each other, so that publishing could only make it worse.
    pub(super) const fn is_alarm(&self) -> bool {
        match self {
            Self::PartitionCount { .. }
            | Self::Diverged { .. }
            | Self::UndeclaredFork { .. }
            | Self::AheadOfLog { .. }
            | Self::OtherLog(_) => true,
            Self::Log(_)
            | Self::Kafka(_)
            | Self::Thread(_)
            | Self::Delivery { .. }
            | Self::Unacknowledged { .. }
            | Self::LeaseLost
            | Self::Fenced
            | Self::NoTopic(_)
            | Self::TopicReplaced { .. }
            | Self::RecoveryStalled
            | Self::Ending
            | Self::UnknownAggregate(_) => false,
        }
    }
}

//! Why a term of the relay ends.

use rdkafka::error::KafkaError;

/// What ended a term. The relay starts another; only alarms keep it from publishing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("the log or the progress cannot be read or written: {0}")]
    Log(#[from] sqlx::Error),
    #[error("Kafka cannot be reached: {0}")]
    Kafka(#[from] KafkaError),
    #[error("position {position} was not delivered: {error}")]
    Delivery { position: i64, error: KafkaError },
    #[error("position {position} is not acknowledged for too long")]
    Stuck { position: i64 },
    #[error("the lease is lost")]
    LeaseLost,
    #[error("another term has taken over the progress")]
    Fenced,
    #[error("topic {0} is not there")]
    NoTopic(String),
    #[error("position {position} got offset {offset}, below {expected}: the topic was replaced")]
    Replaced {
        position: i64,
        offset: i64,
        expected: i64,
    },
    #[error("reading back what the partitions hold did not move for too long")]
    ReadBack,
    #[error("this build knows no aggregate `{0}`")]
    UnknownAggregate(String),
    #[error(
        "topic {topic} has {found} partitions; it was made with {recorded}, {configured} are configured"
    )]
    Partitions {
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
    #[error("position {position} was published, but the log ends at {head}")]
    Ahead { position: i64, head: i64 },
}

impl Error {
    /// Whether somebody has to look: log and topics contradict each other, and publishing could
    /// only make it worse.
    pub(super) const fn is_alarm(&self) -> bool {
        match self {
            Self::Partitions { .. } | Self::Diverged { .. } | Self::Ahead { .. } => true,
            Self::Log(_)
            | Self::Kafka(_)
            | Self::Delivery { .. }
            | Self::Stuck { .. }
            | Self::LeaseLost
            | Self::Fenced
            | Self::NoTopic(_)
            | Self::Replaced { .. }
            | Self::ReadBack
            | Self::UnknownAggregate(_) => false,
        }
    }
}

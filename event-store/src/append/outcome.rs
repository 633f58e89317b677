//! What became of an append.

use serde::Deserialize;
use tidemark_events::{DecodeError, Event, Timestamp};
use uuid::Uuid;

use crate::IdempotencyRecord;

/// The answer of the log to a batch.
#[derive(Clone, Debug)]
pub enum AppendOutcome {
    /// The batch was the executor's next one. Every group without a conflict was written.
    Appended(Appended),
    /// The batch was not the executor's next one: another process used its number, or the executor was
    /// forgotten because it appended nothing for long. Nothing was written.
    NotCurrent,
    /// The batch rests on a time that Postgres's clock, which shows this time, has not reached. Nothing was
    /// written.
    Early(Timestamp),
    /// The batch came too late, at this time of Postgres's clock. Nothing was written.
    Late(Timestamp),
}

/// What an append wrote.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The head of the log before the append. The events of the groups that were written follow it, in
    /// their order.
    pub head: i64,
    /// The time at which the events were recorded.
    pub at: Timestamp,
    /// The conflicts, in the order of their groups. A group that has one was not written; every other group was.
    pub conflicts: Vec<Conflict>,
}

/// Something that a group rested on and that changed before the append.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Conflict {
    /// A stream has another version.
    Stream {
        /// The index of the group in the batch.
        group: usize,
        /// The stream that has another version.
        id: Uuid,
        /// The events of the stream that a group of the batch had not seen, in order. Only the first conflict of a
        /// stream has them; and none has if there are too many of them, or if the stream has fewer events than the
        /// groups knew.
        #[serde(default)]
        unseen: Vec<UnseenEvent>,
    },
    /// A claim has another owner.
    Claim {
        /// The index of the group in the batch.
        group: usize,
        /// The scope of the claim.
        scope: String,
        /// The key of the claim.
        key: String,
        /// The stream that owns the claim now.
        owner: Option<Uuid>,
    },
    /// A command with the same idempotency key is in the log already.
    #[serde(rename = "record")]
    IdempotencyRecord {
        /// The index of the group in the batch.
        group: usize,
        /// The record of the earlier command.
        record: IdempotencyRecord,
    },
    /// A subject's key was destroyed, or another command stored the same new key first.
    #[serde(rename = "subject")]
    SubjectKey {
        /// The index of the group in the batch.
        group: usize,
        /// The person whose key it is.
        #[serde(rename = "id")]
        subject: Uuid,
    },
}

/// An event of the log that a group had not seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UnseenEvent {
    /// The version that the stream has after the event.
    pub version: i64,
    /// The time at which the event was recorded.
    pub recorded_at: Timestamp,
    event_type: String,
    schema_version: i16,
    data: String,
}

impl UnseenEvent {
    /// Decodes the event.
    ///
    /// # Errors
    /// See [`Event::decode`].
    pub fn decode(&self) -> Result<Event, DecodeError> {
        Event::decode(&self.event_type, self.schema_version, &self.data)
    }
}

impl Conflict {
    /// The index of the group in the batch.
    #[must_use]
    pub const fn group(&self) -> usize {
        match self {
            Self::Stream { group, .. }
            | Self::Claim { group, .. }
            | Self::IdempotencyRecord { group, .. }
            | Self::SubjectKey { group, .. } => *group,
        }
    }
}

/// The answer of the SQL function `append`.
#[expect(clippy::struct_excessive_bools, reason = "they are columns of one row")]
pub(super) struct Answer {
    pub(super) current: bool,
    pub(super) early: bool,
    pub(super) late: bool,
    pub(super) contended: bool,
    pub(super) head: i64,
    pub(super) at: Timestamp,
    /// A JSON array of [`Conflict`]s; `None` if the batch was not looked at.
    pub(super) conflicts: Option<String>,
}

impl TryFrom<Answer> for AppendOutcome {
    type Error = sqlx::Error;

    fn try_from(answer: Answer) -> sqlx::Result<Self> {
        if !answer.current {
            return Ok(Self::NotCurrent);
        }
        if answer.early {
            return Ok(Self::Early(answer.at));
        }
        if answer.late {
            return Ok(Self::Late(answer.at));
        }
        let conflicts = serde_json::from_str(answer.conflicts.as_deref().unwrap_or("[]"))
            .map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self::Appended(Appended {
            head: answer.head,
            at: answer.at,
            conflicts,
        }))
    }
}

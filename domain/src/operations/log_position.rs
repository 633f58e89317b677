//! A position of the log that an operator states.

use crate::decision::refusals;
use crate::{Code, Refusal, RefusalKind, Stop};

/// Why a stated position is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The log holds no event at this position yet.
    #[error("the log ends before this position, at {log_end}")]
    NotInLog {
        /// The last position of the log.
        log_end: i64,
    },
}

impl crate::Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotInLog { .. } => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotInLog { .. } => Code {
                name: "position_not_in_log",
                meaning: "The log holds no event yet at the position that the command states.",
                what_to_do: "State a position of the log: `detail` says where it ends.",
            },
        }
    }
}

/// A position that a command states, which must be one of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPosition {
    /// The position that is stated.
    pub stated: i64,
    /// A position that the log has reached.
    pub log_end: i64,
}

impl LogPosition {
    /// The position, if the log holds an event there.
    ///
    /// # Errors
    /// [`Error::NotInLog`] about this field of the command.
    pub(crate) fn require_in_log(self, field: &'static str) -> Result<i64, Stop> {
        let Self { stated, log_end } = self;
        if stated > log_end {
            return Err(Stop::from(Error::NotInLog { log_end }).about(field));
        }
        Ok(stated)
    }

    /// Why a command that states a position may be refused.
    pub(crate) fn refusals() -> Vec<Refusal> {
        refusals([Error::NotInLog { log_end: 4_710 }])
    }
}

//! Read your own writes: what one statement saw of the rows, of how far they have applied the log, and
//! of the log itself. Only that decides whether an answer is good enough for a `Tidemark`.

use tidemark_platform::token::Token;

use crate::error::Error;

/// What one statement saw.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot<T> {
    /// Which log it is.
    pub(crate) timeline: i32,
    /// The last position of the log.
    pub(crate) head: i64,
    /// All events up to here are in the rows that were read.
    pub(crate) position: i64,
    /// Where one of the read models cannot go on.
    pub(crate) blocked_at: Option<i64>,
    /// What was asked for.
    pub(crate) items: Vec<T>,
}

impl<T> Snapshot<T> {
    /// Whether the rows hold all that the client has seen.
    ///
    /// # Errors
    /// If they never will.
    pub(crate) fn reflects(&self, token: Option<Token>) -> Result<bool, Error> {
        let Some(Token { timeline, position }) = token else {
            return Ok(true);
        };
        if timeline != self.timeline {
            return Err(Error::OtherTimeline);
        }
        if position <= self.position {
            return Ok(true);
        }
        if position > self.head {
            return Err(Error::FuturePosition);
        }
        if self
            .blocked_at
            .is_some_and(|blocked_at| position > blocked_at)
        {
            return Err(Error::Blocked);
        }
        Ok(false)
    }

    /// The position that an answer from these rows reflects.
    pub(crate) fn token(&self) -> Token {
        Token {
            timeline: self.timeline,
            position: self.position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(blocked_at: Option<i64>) -> Snapshot<String> {
        Snapshot {
            timeline: 1,
            head: 9,
            position: 5,
            blocked_at,
            items: Vec::new(),
        }
    }

    fn verdict(blocked_at: Option<i64>, token: &str) -> Result<bool, String> {
        let verdict = snapshot(blocked_at).reflects(Some(token.parse().unwrap()));
        verdict.map_err(|error| error.to_string())
    }

    /// Row 84 of the bad inputs: tokens that are forged, of the future or of another log.
    #[test]
    fn a_token_is_held_against_rows_and_log() {
        assert!(matches!(snapshot(None).reflects(None), Ok(true)));
        assert_eq!(verdict(None, "1.5"), Ok(true));
        assert_eq!(verdict(None, "1.6"), Ok(false));
        assert_eq!(verdict(None, "1.9"), Ok(false));
        assert_eq!(
            verdict(None, "1.10"),
            Err(Error::FuturePosition.to_string())
        );
        assert_eq!(verdict(None, "2.5"), Err(Error::OtherTimeline.to_string()));
    }

    #[test]
    fn a_blocked_read_model_is_not_waited_for() {
        assert_eq!(verdict(Some(5), "1.5"), Ok(true));
        assert_eq!(verdict(Some(5), "1.6"), Err(Error::Blocked.to_string()));
        assert_eq!(verdict(Some(7), "1.6"), Ok(false));
    }
}

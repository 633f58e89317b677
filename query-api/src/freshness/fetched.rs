//! What one statement fetched, and whether it is fresh enough for a `Tidemark`.

use tidemark_platform::tidemark::Token;

use crate::error::Error;

/// The items that one statement fetched, and what the same statement saw of their shards' checkpoints
/// and of the log.
#[derive(Clone, Debug)]
pub(crate) struct Fetched<T> {
    /// The timeline of the log.
    pub(crate) timeline: i32,
    /// The last position of the log.
    pub(crate) head: i64,
    /// The position up to which all shards that were read have applied the log.
    pub(crate) position: i64,
    /// The lowest position at which one of these shards is blocked, if any is.
    pub(crate) blocked_at: Option<i64>,
    /// The items that the query asked for.
    pub(crate) items: Vec<T>,
}

impl<T> Fetched<T> {
    /// Whether the items contain everything up to the token's position.
    ///
    /// # Errors
    /// If they never will: [`Error::OtherTimeline`], [`Error::FuturePosition`] or [`Error::Blocked`].
    pub(crate) fn is_fresh_enough(&self, token: Option<Token>) -> Result<bool, Error> {
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

    /// The position that an answer with these items reflects.
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

    fn fetched(blocked_at: Option<i64>) -> Fetched<String> {
        Fetched {
            timeline: 1,
            head: 9,
            position: 5,
            blocked_at,
            items: Vec::new(),
        }
    }

    fn is_fresh_enough(blocked_at: Option<i64>, token: &str) -> Result<bool, String> {
        let is_fresh_enough = fetched(blocked_at).is_fresh_enough(Some(token.parse().unwrap()));
        is_fresh_enough.map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_compared_with_the_checkpoint_and_the_log() {
        assert!(matches!(fetched(None).is_fresh_enough(None), Ok(true)));
        assert_eq!(is_fresh_enough(None, "1.5"), Ok(true));
        assert_eq!(is_fresh_enough(None, "1.6"), Ok(false));
        assert_eq!(is_fresh_enough(None, "1.9"), Ok(false));
        assert_eq!(
            is_fresh_enough(None, "1.10"),
            Err(Error::FuturePosition.to_string())
        );
        assert_eq!(
            is_fresh_enough(None, "2.5"),
            Err(Error::OtherTimeline.to_string())
        );
    }

    #[test]
    fn a_blocked_shard_is_not_waited_for() {
        assert_eq!(is_fresh_enough(Some(5), "1.5"), Ok(true));
        assert_eq!(
            is_fresh_enough(Some(5), "1.6"),
            Err(Error::Blocked.to_string())
        );
        assert_eq!(is_fresh_enough(Some(7), "1.6"), Ok(false));
    }
}

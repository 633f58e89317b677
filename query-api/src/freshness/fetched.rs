//! What one statement fetched, and whether it is fresh enough for a `Tidemark`.

use std::convert::Infallible;

use axum::http::HeaderValue;
use axum::response::{IntoResponseParts, ResponseParts};
use tidemark_platform::tidemark::{PARKED, Token};

use crate::error::{Error, NamedBy};

/// Marks an answer from rows that lack the event at this position and later ones, if there are such rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ParkedMark(Option<Token>);

impl ParkedMark {
    /// The mark for rows whose first missing event is at this position of the timeline.
    pub(crate) fn new(timeline: i32, parked_at: Option<i64>) -> Self {
        Self(parked_at.map(|position| Token { timeline, position }))
    }
}

impl IntoResponseParts for ParkedMark {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let value = self.0.map(|token| HeaderValue::try_from(token.to_string()));
        if let Some(Ok(value)) = value {
            parts.headers_mut().insert(PARKED, value);
        }
        Ok(parts)
    }
}

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
    /// The first event that a row of these shards lacks because it is parked, or may lack because its stream waits, if there is
    /// one. Of a query for one row: which that row lacks or may lack.
    pub(crate) parked_at: Option<i64>,
    /// The first event that the row lacks because it is parked which alone is asked for, so that an answer without it would be
    /// wrong. A list is given, and marked, because its other rows are right; so is a row of which nobody knows whether it
    /// lacks an event of a stream that waits.
    pub(crate) row_parked_at: Option<i64>,
    /// The items that the query asked for.
    pub(crate) items: Vec<T>,
}

impl<T> Fetched<T> {
    /// Whether the items contain everything up to the token's position.
    ///
    /// # Errors
    /// If they never will: [`Error::OtherTimeline`], [`Error::FuturePosition`], [`Error::Parked`] or
    /// [`Error::Blocked`].
    pub(crate) fn is_fresh_enough(&self, token: Option<Token>) -> Result<bool, Error> {
        let Some(Token { timeline, position }) = token else {
            return Ok(true);
        };
        if timeline != self.timeline {
            return Err(Error::OtherTimeline(NamedBy::Token));
        }
        if position > self.head.max(self.position) {
            return Err(Error::FuturePosition(NamedBy::Token));
        }
        if self
            .row_parked_at
            .is_some_and(|parked_at| position >= parked_at)
        {
            return Err(Error::Parked);
        }
        if position <= self.position {
            return Ok(true);
        }
        if self
            .blocked_at
            .is_some_and(|blocked_at| position > blocked_at)
        {
            return Err(Error::Blocked);
        }
        Ok(false)
    }

    /// The same with other items, made of these.
    pub(crate) fn map<U>(self, items: impl FnOnce(Vec<T>) -> Vec<U>) -> Fetched<U> {
        Fetched {
            timeline: self.timeline,
            head: self.head,
            position: self.position,
            blocked_at: self.blocked_at,
            parked_at: self.parked_at,
            row_parked_at: self.row_parked_at,
            items: items(self.items),
        }
    }

    /// The position that an answer with these items reflects.
    pub(crate) fn token(&self) -> Token {
        Token {
            timeline: self.timeline,
            position: self.position,
        }
    }

    /// The mark of an answer with these items.
    pub(crate) fn mark(&self) -> ParkedMark {
        ParkedMark::new(self.timeline, self.parked_at)
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
            parked_at: None,
            row_parked_at: None,
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
            Err(Error::FuturePosition(NamedBy::Token).to_string())
        );
        assert_eq!(
            is_fresh_enough(None, "2.5"),
            Err(Error::OtherTimeline(NamedBy::Token).to_string())
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

    #[test]
    fn a_row_that_lacks_an_event_is_not_fresh_enough_for_it_and_a_list_is_marked() {
        let parked = Fetched {
            parked_at: Some(4),
            row_parked_at: Some(4),
            ..fetched(None)
        };
        let is_fresh_enough = |token: &str| {
            let is_fresh_enough = parked.is_fresh_enough(Some(token.parse().unwrap()));
            is_fresh_enough.map_err(|error| error.to_string())
        };
        assert_eq!(is_fresh_enough("1.3"), Ok(true));
        for token in ["1.4", "1.5", "1.9"] {
            assert_eq!(is_fresh_enough(token), Err(Error::Parked.to_string()));
        }
        let list = Fetched {
            row_parked_at: None,
            ..parked
        };
        let token = "1.5".parse().unwrap();
        assert!(matches!(list.is_fresh_enough(Some(token)), Ok(true)));
    }
}

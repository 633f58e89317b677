//! A document as a live update sends it.

use tidemark_platform::tidemark::Token;

use crate::freshness::ParkedMark;

/// A document, and the event that it last changed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LiveUpdate {
    /// The timeline of the log.
    pub(crate) timeline: i32,
    /// The position of the event that last changed the document.
    pub(crate) position: i64,
    /// The document as JSON text.
    pub(crate) document: String,
    /// The first event that the document lacks because its row is parked, if it is.
    pub(crate) parked_at: Option<i64>,
}

impl LiveUpdate {
    /// The id of this update, which a client sends back as `Last-Event-ID`.
    pub(crate) fn token(&self) -> Token {
        Token {
            timeline: self.timeline,
            position: self.position,
        }
    }

    /// The mark of an answer with this document.
    pub(crate) fn mark(&self) -> ParkedMark {
        ParkedMark::new(self.timeline, self.parked_at)
    }

    /// Whether it is as new as this one, of the same timeline.
    pub(crate) fn reaches(&self, other: Option<Token>) -> bool {
        other.is_none_or(|other| other.timeline == self.timeline && other.position <= self.position)
    }

    /// Whether a client that has `seen` an update of the same document should be sent this one.
    pub(crate) fn is_newer_than(&self, seen: Option<Token>) -> bool {
        seen.is_none_or(|seen| seen.timeline != self.timeline || seen.position < self.position)
    }
}

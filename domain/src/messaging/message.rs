//! Messages: what one person is told over one channel. The commands are in files of their own.

mod complain;
mod end;
mod error;
mod places;
mod request;
mod text;

#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Event, Outcome};
use tidemark_events::{KeyedHash, Timestamp};

pub use complain::Complain;
pub use end::{Bounce, Deliver, End};
pub use error::Error;
pub use request::Request;
pub(in crate::messaging) use text::Exhausted;
pub use text::{RequestText, TextLimits};

use crate::AggregateState;

/// How long a message is of use, unless it says otherwise.
const OF_USE: TimeDelta = TimeDelta::hours(24);

/// The state of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// There is no such message.
    #[default]
    None,
    /// The message is to be sent.
    Requested {
        /// By which channel.
        channel: Channel,
        /// The keyed hash of the address; none if a build before had it sent.
        to_hash: Option<KeyedHash>,
        /// From when on.
        from: Timestamp,
        /// After this time it is of no use.
        not_after: Timestamp,
        /// Whether it must be told.
        is_critical: bool,
        /// Whether a server may have it already.
        is_uncertain: bool,
    },
    /// Its sending has ended, or never began.
    Over {
        /// By which channel it was sent; that of mails if it was not sent.
        channel: Channel,
        /// From when on it was to be sent, or would have been; none if a build before did not write it.
        from: Option<Timestamp>,
        /// The keyed hash of the address; none if a build before had it sent, or nobody did.
        to_hash: Option<KeyedHash>,
        /// Whether a server has taken it, or may have, so that it can still come back.
        is_out: bool,
    },
}

impl Message {
    /// From when on it is or was to be sent.
    const fn from(&self) -> Option<Timestamp> {
        match self {
            Self::None => None,
            Self::Requested { from, .. } => Some(*from),
            Self::Over { from, .. } => *from,
        }
    }

    /// The keyed hash of the address, as far as it is known.
    const fn to_hash(&self) -> Option<&KeyedHash> {
        match self {
            Self::None => None,
            Self::Requested { to_hash, .. } | Self::Over { to_hash, .. } => to_hash.as_ref(),
        }
    }

    /// By which channel it is or was to be sent.
    const fn channel(&self) -> Channel {
        match self {
            Self::None => Channel::Mail,
            Self::Requested { channel, .. } | Self::Over { channel, .. } => *channel,
        }
    }

    /// The same message, which a server may have.
    fn uncertain(&self) -> Self {
        let mut message = self.clone();
        if let Self::Requested { is_uncertain, .. } = &mut message {
            *is_uncertain = true;
        }
        message
    }

    /// The same message after its sending has ended.
    fn over(&self, is_out: bool) -> Self {
        Self::Over {
            channel: self.channel(),
            from: self.from(),
            to_hash: self.to_hash().cloned(),
            is_out,
        }
    }
}

impl AggregateState for Message {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 6;

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Requested {
                channel,
                template,
                to_hash,
                requested_at,
                not_after,
                ..
            } => Self::Requested {
                channel: *channel,
                to_hash: to_hash.clone(),
                from: requested_at.map_or(**not_after - OF_USE, |at| *at),
                not_after: **not_after,
                is_critical: template.is_critical(),
                is_uncertain: false,
            },
            Event::Deferred {
                template,
                to_hash,
                not_before,
                not_after,
                ..
            } => Self::Requested {
                channel: Channel::Mail,
                to_hash: Some(to_hash.clone()),
                from: **not_before,
                not_after: **not_after,
                is_critical: template.is_critical(),
                is_uncertain: false,
            },
            Event::Uncertain { .. } => self.uncertain(),
            Event::Ended { outcome, .. } => match outcome {
                Outcome::Accepted | Outcome::Uncertain => self.over(true),
                Outcome::Bounced
                | Outcome::Expired
                | Outcome::RecipientErased
                | Outcome::NumberWithdrawn => self.over(false),
            },
            // It holds its places as long as if it had been sent.
            Event::Suppressed { suppressed_at, .. } => Self::Over {
                channel: self.channel(),
                from: suppressed_at.map(|at| *at),
                to_hash: None,
                is_out: false,
            },
            Event::Delivered { .. } | Event::Bounced { .. } | Event::Complained { .. } => {
                self.over(false)
            }
        };
    }

    fn heap_bytes(&self) -> usize {
        self.to_hash().map_or(0, |hash| hash.0.len())
    }
}

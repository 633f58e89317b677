//! Digests: what a user is told of a category in one mail, in place of one each. The first notification opens a digest, others join
//! it, and a timer closes it. One digest of a user and a category is open at a time: it holds a claim.

mod close;
mod error;
mod join;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::digest::Event;
use tidemark_events::messaging::notice::Notice;
use tidemark_events::messaging::notification::Subject;
use tidemark_events::{Moment, Stored, UserId};

pub use close::Close;
pub use error::Error;
pub(super) use join::Join;

use crate::{AggregateState, Claim, ClaimScope};

/// How many notifications the mail of a digest lists at most: the last ones. Others are counted.
const LISTED_MAX: usize = 50;

/// The state of a digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// There is no such digest.
    #[default]
    None,
    /// Notifications join it.
    Open {
        /// The user.
        user_id: UserId,
        /// The category.
        category: Category,
        /// When it is to be closed.
        closes_at: Stored<Moment>,
        /// The last notifications that joined it, the newest last.
        listed: VecDeque<Notice>,
        /// How many joined it before.
        unlisted: u32,
    },
    /// What comes of it is on record.
    Closed,
}

/// The claim of the digest of this user and category that is open.
fn claim(user_id: UserId, category: Category) -> Claim {
    let key = format!("{user_id} {}", category.name());
    Claim::new(ClaimScope::Digest, key)
}

impl AggregateState for Digest {
    type Event = Event;

    const NONE: &'static Self = &Self::None;
    const STATE_VERSION: i16 = 1;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Opened {
                user_id,
                category,
                closes_at,
                ..
            } => {
                *self = Self::Open {
                    user_id: *user_id,
                    category: *category,
                    closes_at: *closes_at,
                    listed: VecDeque::new(),
                    unlisted: 0,
                };
            }
            Event::Joined { notice, .. } => {
                if let Self::Open {
                    listed, unlisted, ..
                } = self
                {
                    listed.push_back(notice.clone());
                    if listed.len() > LISTED_MAX {
                        listed.pop_front();
                        *unlisted = unlisted.saturating_add(1);
                    }
                }
            }
            Event::Closed { .. } => *self = Self::Closed,
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::Open { listed, .. } => listed.iter().map(bytes).sum(),
            Self::None | Self::Closed => 0,
        }
    }
}

/// The approximate number of bytes that a notification takes.
fn bytes(notice: &Notice) -> usize {
    let text = match &notice.subject {
        Subject::Auction { title, .. } => title.len(),
        Subject::Task { name, .. } => name.len(),
    };
    size_of::<Notice>() + text
}

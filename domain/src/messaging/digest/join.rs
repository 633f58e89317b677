//! How a notification joins a digest.

use chrono::TimeDelta;
use tidemark_events::messaging::digest::Event;
use tidemark_events::messaging::notice::Notice;
use tidemark_events::{DigestId, Moment, UserId};

use super::{Digest, claim};
use crate::{Stop, View, Write};

/// A notification that the user is to be told of by the mail of a digest.
#[derive(Clone, Debug)]
pub(in crate::messaging) struct Join<'a> {
    /// The id of the digest, if none is open.
    pub(in crate::messaging) new_id: DigestId,
    /// How long it is open then.
    pub(in crate::messaging) window: TimeDelta,
    /// The user.
    pub(in crate::messaging) user_id: UserId,
    /// The notification.
    pub(in crate::messaging) notice: &'a Notice,
}

impl Join<'_> {
    /// That the notification joins the digest that is open, or opens one.
    pub(in crate::messaging) fn writes(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let claim = claim(self.user_id, self.notice.category);
        if let Some(open) = view.owner(&claim)? {
            // It is read, so that nothing joins a digest that is closed meanwhile.
            view.get::<Digest>(open)?;
            return Ok(vec![self.joined(DigestId(open))]);
        }
        let digest_id = self.new_id;
        let opened = Event::Opened {
            digest_id,
            user_id: self.user_id,
            category: self.notice.category,
            closes_at: Moment::nearest(view.now() + self.window).into(),
        };
        Ok(vec![
            Write::Claim(claim, digest_id.0),
            Write::event(digest_id.0, opened),
            self.joined(digest_id),
        ])
    }

    fn joined(&self, digest_id: DigestId) -> Write {
        let joined = Event::Joined {
            digest_id,
            user_id: self.user_id,
            notice: self.notice.clone(),
        };
        Write::event(digest_id.0, joined)
    }
}

//! Logging out.

use tidemark_events::SessionId;
use tidemark_events::identity::session::{EndReason, Event};

use super::{Error, Session};
use crate::decision::refusals;
use crate::identity::access;
use crate::{Command, Refusal, Stop, View, Write};

/// Ends a session of the user who sends the command.
#[derive(Clone, Debug)]
pub struct End {
    /// The session to end.
    pub session_id: SessionId,
}

impl Command for End {
    fn name(&self) -> &'static str {
        "end_session"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Ended]);
        [access::user_refusals(), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let session_id = self.session_id;
        let asking = access::user(view)?;
        let (user_id, open) = match view.get::<Session>(session_id.0)? {
            Session::None => return Err(Error::NotFound.into()),
            Session::Open { user_id, .. } => (*user_id, true),
            Session::Ended { user_id } => (*user_id, false),
        };
        if asking != user_id {
            return Err(Error::NotFound.into());
        }
        if !open {
            return Err(Error::Ended.into());
        }
        Ok(vec![Write::event(
            session_id.0,
            Event::Ended {
                session_id,
                user_id,
                reason: EndReason::LoggedOut,
            },
        )])
    }
}

//! How a digest ends: a timer closes it, and has the mail sent that lists what has joined it.

use tidemark_events::messaging::digest::{Event, Outcome};
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::notice::Listing;
use tidemark_events::{DigestId, Locale, MessageId, Timestamp};

use super::{Digest, Error, claim};
use crate::decision::refusals;
use crate::identity::user::User;
use crate::identity::{access, user};
use crate::messaging::message::Request;
use crate::messaging::preferences;
use crate::{Command, Refusal, Stop, View, Write};

/// Closes a digest whose window is over, and has one mail sent, unless the user wants none of the category any more. Only a service
/// sends it.
#[derive(Clone, Debug)]
pub struct Close {
    /// The digest.
    pub digest_id: DigestId,
    /// The id of the mail, if there is to be one.
    pub message_id: MessageId,
    /// How many mails of one category a user is sent in an hour.
    pub mails_per_hour_max: u32,
    /// The language of mails.
    pub mail_locale: Locale,
}

impl Command for Close {
    fn name(&self) -> &'static str {
        "close_digest"
    }

    fn refusals() -> Vec<Refusal> {
        let not_due = Error::NotDue(Timestamp::UNIX_EPOCH);
        let own = refusals([Error::NotFound, Error::Closed, not_due]);
        let absent = refusals([user::Error::NotFound]);
        [access::service_refusals(), own, absent].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let (user_id, closes_at, listing) = match view.get::<Digest>(self.digest_id.0)? {
            Digest::None => return Err(Error::NotFound.into()),
            Digest::Closed => return Err(Error::Closed.into()),
            Digest::Open {
                user_id,
                category,
                closes_at,
                listed,
                unlisted,
            } => {
                let listing = Listing {
                    digest_id: self.digest_id,
                    category: *category,
                    notices: listed.iter().cloned().collect(),
                    unlisted: *unlisted,
                };
                (*user_id, **closes_at, listing)
            }
        };
        if view.now() < closes_at {
            return Err(Error::NotDue(closes_at).into());
        }
        let claim = claim(user_id, listing.category);
        view.owner(&claim)?;
        let mails = preferences::channels(view, user_id, listing.category)?.mail;
        let closed = Event::Closed {
            digest_id: self.digest_id,
            user_id,
            notifications: count(&listing),
            outcome: if mails {
                Outcome::Mail
            } else {
                Outcome::MailsOff
            },
            message_id: mails.then_some(self.message_id),
        };
        let mut writes = vec![
            Write::event(self.digest_id.0, closed),
            Write::Release(claim),
        ];
        if mails {
            let User::Registered { contact, .. } = view.get::<User>(user_id.0)? else {
                return Err(user::Error::NotFound.into());
            };
            let mail = Request {
                message_id: self.message_id,
                template: Template::Digest(Box::new(listing)),
                to: contact.email.clone(),
                name: contact.display_name.clone(),
                not_after: None,
                per_hour_max: self.mails_per_hour_max,
                locale: self.mail_locale.clone(),
            };
            writes.extend(mail.writes(view)?);
        }
        Ok(writes)
    }
}

/// How many notifications have joined a digest.
fn count(listing: &Listing) -> u32 {
    let listed = u32::try_from(listing.notices.len()).unwrap_or(u32::MAX);
    listing.unlisted.saturating_add(listed)
}

//! How a mail is requested: it is sent at once, later, or not at all.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Event, Suppression, Template};
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::{KeyedHash, Locale, MessageId, Moment, Sealed, Timestamp};
use uuid::Uuid;

use super::OF_USE;
use super::places::Places;
use crate::decision::refusals;
use crate::identity::user::User;
use crate::identity::{access, user};
use crate::messaging::contact_point;
use crate::messaging::template;
use crate::{Command, Refusal, Stop, View, Write};

/// The time between two messages of one kind to one user that take the same place.
const SPACING: TimeDelta = TimeDelta::hours(1);

/// Has a message sent, unless nothing is sent to the address now. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Request {
    /// The id of the new message.
    pub message_id: MessageId,
    /// What it says.
    pub template: Template,
    /// The address, sealed as `email`. Its subject is the recipient.
    pub to: Sealed,
    /// The name of the recipient, sealed as `display_name`.
    pub name: Sealed,
    /// After this time it is of no use. With none it is of use for a day.
    pub not_after: Option<Timestamp>,
    /// How many messages of one kind a user is sent in an hour.
    pub per_hour_max: u32,
    /// The language of mails.
    pub locale: Locale,
}

impl Request {
    /// The request itself, or that the message is sent later or not at all.
    pub(in crate::messaging) fn writes(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let User::Registered { contact, .. } = view.get::<User>(self.to.subject.0)? else {
            return Err(user::Error::NotFound.into());
        };
        let to_hash = &contact.email_hash;
        if contact_point::is_suppressed(view, to_hash, &self.template)? {
            let now = view.now();
            return Ok(vec![self.suppressed(to_hash, now, Suppression::Address)]);
        }
        let places = Places {
            recipient: &self.to.subject.to_string(),
            kind: self.template.kind(),
            count: self.per_hour_max,
            spacing: SPACING,
        };
        let place = places.first(view)?;
        let now = view.now();
        let from = place.free_from.map_or(now, |from| now.max(from));
        if from >= self.of_use_until(now) && !self.template.is_critical() {
            return Ok(vec![self.suppressed(to_hash, now, Suppression::TooMany)]);
        }
        let wording = template::newest(view, &self.locale, &self.template)?;
        let event = if from > now {
            self.deferred(to_hash, wording, from, now)
        } else {
            self.requested(to_hash, wording, now)
        };
        let mut writes = vec![Write::event(self.message_id.0, event)];
        writes.extend(place.take(self.message_id));
        Ok(writes)
    }

    fn requested(
        &self,
        to_hash: &KeyedHash,
        wording: Option<TemplateVersion>,
        now: Timestamp,
    ) -> Event {
        Event::Requested {
            message_id: self.message_id,
            user_id: self.to.subject,
            channel: Channel::Mail,
            template: self.template.clone(),
            to: self.to.clone(),
            to_hash: Some(to_hash.clone()),
            name: self.name.clone(),
            wording,
            requested_at: Some(Moment::nearest(now).into()),
            not_after: Moment::nearest(self.of_use_until(now)).into(),
        }
    }

    /// Until when it is of use, if that is so from this time on.
    fn of_use_until(&self, from: Timestamp) -> Timestamp {
        self.not_after.unwrap_or(from + OF_USE)
    }

    fn deferred(
        &self,
        to_hash: &KeyedHash,
        wording: Option<TemplateVersion>,
        from: Timestamp,
        now: Timestamp,
    ) -> Event {
        // What must be told is of use also if it is told late.
        let begin = if self.template.is_critical() {
            from
        } else {
            now
        };
        Event::Deferred {
            message_id: self.message_id,
            user_id: self.to.subject,
            template: self.template.clone(),
            to: self.to.clone(),
            to_hash: to_hash.clone(),
            name: self.name.clone(),
            wording,
            not_before: Moment::nearest(from).into(),
            not_after: Moment::nearest(self.of_use_until(begin)).into(),
        }
    }

    fn suppressed(&self, to_hash: &KeyedHash, now: Timestamp, reason: Suppression) -> Write {
        Write::event(
            self.message_id.0,
            Event::Suppressed {
                message_id: self.message_id,
                user_id: self.to.subject,
                channel: Channel::Mail,
                template: self.template.clone(),
                to_hash: to_hash.clone(),
                reason,
                suppressed_at: Some(Moment::nearest(now).into()),
            },
        )
    }
}

impl Command for Request {
    fn name(&self) -> &'static str {
        "request_message"
    }

    fn refusals() -> Vec<Refusal> {
        let absent = refusals([user::Error::NotFound]);
        [access::service_refusals(), absent].concat()
    }

    fn roots(&self) -> Vec<Uuid> {
        vec![self.to.subject.0]
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        self.writes(view)
    }
}

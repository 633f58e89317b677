//! How a text is requested. A text is sent at once or not at all: what waits for an hour is of no use on a telephone, and
//! everything is in the inbox anyway.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Event, Suppression, Template};
use tidemark_events::messaging::text_budget;
use tidemark_events::{MessageId, Moment, Sealed, TextBudgetId, Timestamp};

use super::OF_USE;
use super::places::Places;
use crate::identity::user::PhoneNumber;
use crate::messaging::contact_point;
use crate::messaging::text_budget::TextBudget;
use crate::messaging::wording;
use crate::{Stop, View, Write};

/// How many texts are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextLimits {
    /// To one user in ten minutes.
    pub per_10_minutes_max: u32,
    /// To one user in 24 hours.
    pub per_day_max: u32,
    /// Segments of one text.
    pub segments_max: u32,
    /// Segments of all texts of one day (UTC).
    pub segments_per_day_max: u32,
}

/// Has a text sent to a telephone.
#[derive(Clone, Debug)]
pub struct RequestText<'a> {
    /// The id of the new message.
    pub message_id: MessageId,
    /// What it says.
    pub template: Template,
    /// The number.
    pub to: &'a PhoneNumber,
    /// The name of the recipient, sealed as `display_name`.
    pub name: &'a Sealed,
    /// After this time it is of no use. With none it is of use for a day.
    pub not_after: Option<Timestamp>,
    /// How many texts are sent.
    pub limits: TextLimits,
}

impl RequestText<'_> {
    /// The request, or the reason for which the text is not sent.
    pub(in crate::messaging) fn writes(
        &self,
        view: &View<'_>,
    ) -> Result<Result<Vec<Write>, Suppression>, Stop> {
        if contact_point::is_suppressed(view, &self.to.hash)? {
            return Ok(Err(Suppression::Address));
        }
        let Some(mut writes) = self.places(view)? else {
            return Ok(Err(Suppression::TooMany));
        };
        let text = wording::text(
            &self.template,
            wording::CODE_PLACE,
            self.limits.segments_max,
        );
        let segments = wording::segments(&text);
        let budget_id = TextBudgetId::of(view.now());
        let budget = view.get::<TextBudget>(budget_id.0)?;
        if budget.segments.saturating_add(segments) > self.limits.segments_per_day_max {
            return Ok(Err(Suppression::BudgetSpent));
        }
        let spent = text_budget::Event::Spent {
            text_budget_id: budget_id,
            message_id: self.message_id,
            segments,
        };
        let requested = self.requested(view.now());
        writes.push(Write::event(self.message_id.0, requested));
        writes.push(Write::event(budget_id.0, spent));
        Ok(Ok(writes))
    }

    /// Takes a place among those of ten minutes, and one among those of a day, of the user and of the number, which several users
    /// may state; none if either was sent as many as may be. Codes, which anybody can have sent to a number, take no place of what
    /// its owner is sent otherwise.
    fn places(&self, view: &View<'_>) -> Result<Option<Vec<Write>>, Stop> {
        let user_id = self.to.number.subject.to_string();
        let of_number = match &self.template {
            Template::PhoneCode { .. } => "code",
            Template::Welcome | Template::Notification(_) => "text",
        };
        let spans = [
            (
                "10 min",
                self.limits.per_10_minutes_max,
                TimeDelta::minutes(10),
            ),
            ("day", self.limits.per_day_max, TimeDelta::days(1)),
        ];
        let mut writes = Vec::new();
        for (recipient, what) in [(&user_id, "text"), (&self.to.hash.0, of_number)] {
            for (span, count, spacing) in spans {
                let places = Places {
                    recipient,
                    kind: &format!("{what} {span}"),
                    count,
                    spacing,
                };
                let place = places.first(view)?;
                if !place.is_free(view) {
                    return Ok(None);
                }
                writes.extend(place.take(self.message_id));
            }
        }
        Ok(Some(writes))
    }

    fn requested(&self, now: Timestamp) -> Event {
        let not_after = self.not_after.unwrap_or(now + OF_USE);
        Event::Requested {
            message_id: self.message_id,
            user_id: self.to.number.subject,
            channel: Channel::Sms,
            template: self.template.clone(),
            to: self.to.number.clone(),
            to_hash: Some(self.to.hash.clone()),
            name: self.name.clone(),
            wording: None,
            requested_at: Some(Moment::nearest(now).into()),
            not_after: Moment::nearest(not_after).into(),
        }
    }

    /// The record that the text is not sent.
    pub(in crate::messaging) fn suppressed(&self, reason: Suppression) -> Write {
        Write::event(
            self.message_id.0,
            Event::Suppressed {
                message_id: self.message_id,
                user_id: self.to.number.subject,
                channel: Channel::Sms,
                template: self.template.clone(),
                to_hash: self.to.hash.clone(),
                reason,
            },
        )
    }
}

//! How a text is requested. A text is sent at once or not at all: what waits for an hour is of no use on a telephone, and
//! everything is in the inbox anyway.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Event, Suppression, Template};
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::messaging::text_budget;
use tidemark_events::{Locale, MessageId, Moment, Sealed, TextBudgetId, Timestamp};

use super::OF_USE;
use super::places::Places;
use crate::identity::user::PhoneNumber;
use crate::messaging::contact_point;
use crate::messaging::segments::segments;
use crate::messaging::template;
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
    /// The language of its words; none if there are no other words than those that are built in.
    pub locale: Option<&'a Locale>,
    /// How many texts are sent.
    pub limits: TextLimits,
}

/// Why a user is sent no text now, to whichever number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messaging) enum Exhausted {
    /// The user was sent as many as may be.
    User,
    /// All users together were.
    Budget,
}

impl From<Exhausted> for Suppression {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::User => Self::TooMany,
            Exhausted::Budget => Self::BudgetSpent,
        }
    }
}

impl RequestText<'_> {
    /// The request, or the reason for which the text is not sent.
    pub(in crate::messaging) fn writes(
        &self,
        view: &View<'_>,
    ) -> Result<Result<Vec<Write>, Suppression>, Stop> {
        let (wording, text) = self.worded(view)?;
        let mut writes = match self.counted(view, &text)? {
            Ok(counted) => counted,
            Err(exhausted) => return Ok(Err(exhausted.into())),
        };
        match self.to_number(view, wording)? {
            Ok(sent) => writes.extend(sent),
            Err(reason) => return Ok(Err(reason)),
        }
        Ok(Ok(writes))
    }

    /// The request of a user of whom it is not known whether the number is theirs. So nothing that is known of the number shows in
    /// what is decided: what is not sent because of it is on record, and counts for the user as what is sent.
    pub(in crate::messaging) fn writes_alike(
        &self,
        view: &View<'_>,
    ) -> Result<Result<Vec<Write>, Exhausted>, Stop> {
        let (wording, text) = self.worded(view)?;
        let mut writes = match self.counted(view, &text)? {
            Ok(counted) => counted,
            Err(exhausted) => return Ok(Err(exhausted)),
        };
        match self.to_number(view, wording)? {
            Ok(sent) => writes.extend(sent),
            Err(reason) => writes.push(self.suppressed(view.now(), reason)),
        }
        Ok(Ok(writes))
    }

    /// Counts the text, which says this, for its user and for all users together.
    fn counted(&self, view: &View<'_>, text: &str) -> Result<Result<Vec<Write>, Exhausted>, Stop> {
        let user_id = self.to.number.subject.to_string();
        let Some(mut writes) = self.places(view, &user_id, "text")? else {
            return Ok(Err(Exhausted::User));
        };
        let segments = segments(text);
        let budget_id = TextBudgetId::of(view.now());
        let budget = view.get::<TextBudget>(budget_id.0)?;
        if budget.segments.saturating_add(segments) > self.limits.segments_per_day_max {
            return Ok(Err(Exhausted::Budget));
        }
        let spent = text_budget::Event::Spent {
            text_budget_id: budget_id,
            message_id: self.message_id,
            segments,
        };
        writes.push(Write::event(budget_id.0, spent));
        Ok(Ok(writes))
    }

    /// Has the text sent to its number, unless that is sent nothing now. Several users may state one number, so it has places of its
    /// own. Codes, which anybody can have sent to a number, take no place of what its owner is sent otherwise.
    fn to_number(
        &self,
        view: &View<'_>,
        wording: Option<TemplateVersion>,
    ) -> Result<Result<Vec<Write>, Suppression>, Stop> {
        if contact_point::is_suppressed(view, &self.to.hash)? {
            return Ok(Err(Suppression::Address));
        }
        let what = match &self.template {
            Template::PhoneCode { .. } => "code",
            Template::Welcome | Template::Notification(_) => "text",
        };
        let Some(mut writes) = self.places(view, &self.to.hash.0, what)? else {
            return Ok(Err(Suppression::TooMany));
        };
        let requested = self.requested(view.now(), wording);
        writes.push(Write::event(self.message_id.0, requested));
        Ok(Ok(writes))
    }

    /// What the text says, and the template whose words these are, if there is one. The same is said when it is sent, but for a
    /// code, which is as long.
    fn worded(&self, view: &View<'_>) -> Result<(Option<TemplateVersion>, String), Stop> {
        let max = self.limits.segments_max;
        if let (Some(locale), Template::Notification(notice)) = (self.locale, &self.template)
            && let Some((version, body)) = template::newest_text(view, locale, &self.template)?
            && let Some(text) = wording::text_of_template(body, notice, max)
        {
            return Ok((Some(version), text));
        }
        let text = wording::text(&self.template, wording::CODE_PLACE, max);
        Ok((None, text))
    }

    /// Takes a place among those of ten minutes, and one among those of a day; none if the recipient, which is the user or the
    /// number, was sent as many as may be.
    fn places(
        &self,
        view: &View<'_>,
        recipient: &str,
        what: &str,
    ) -> Result<Option<Vec<Write>>, Stop> {
        let spans = [
            (
                "10 min",
                self.limits.per_10_minutes_max,
                TimeDelta::minutes(10),
            ),
            ("day", self.limits.per_day_max, TimeDelta::days(1)),
        ];
        let mut writes = Vec::new();
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
        Ok(Some(writes))
    }

    fn requested(&self, now: Timestamp, wording: Option<TemplateVersion>) -> Event {
        let not_after = self.not_after.unwrap_or(now + OF_USE);
        Event::Requested {
            message_id: self.message_id,
            user_id: self.to.number.subject,
            channel: Channel::Sms,
            template: self.template.clone(),
            to: self.to.number.clone(),
            to_hash: Some(self.to.hash.clone()),
            name: self.name.clone(),
            wording,
            requested_at: Some(Moment::nearest(now).into()),
            not_after: Moment::nearest(not_after).into(),
        }
    }

    /// The record that the text is not sent.
    pub(in crate::messaging) fn suppressed(&self, now: Timestamp, reason: Suppression) -> Write {
        Write::event(
            self.message_id.0,
            Event::Suppressed {
                message_id: self.message_id,
                user_id: self.to.number.subject,
                channel: Channel::Sms,
                template: self.template.clone(),
                to_hash: self.to.hash.clone(),
                reason,
                suppressed_at: Some(Moment::nearest(now).into()),
            },
        )
    }
}

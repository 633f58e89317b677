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
    /// Codes that one user has sent to one number in ten minutes.
    pub codes_per_10_minutes_max: u32,
    /// Codes that one user has sent to one number in 24 hours.
    pub codes_per_day_max: u32,
    /// Segments of one text.
    pub segments_max: u32,
    /// Segments of all texts but codes of one day (UTC).
    pub segments_per_day_max: u32,
    /// Segments of all codes of one day (UTC).
    pub code_segments_per_day_max: u32,
}

/// How many texts a recipient is sent in ten minutes, and in 24 hours.
type PerSpan = (u32, u32);

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
        let Some(mut writes) = self.places_of_user(view)? else {
            return Ok(Err(Exhausted::User.into()));
        };
        let (budget, segments) = (TextBudgetId::of(view.now()), segments(&text));
        if !has_room(view, budget, segments, self.limits.segments_per_day_max)? {
            return Ok(Err(Exhausted::Budget.into()));
        }
        writes.push(self.spent(budget, segments));
        match self.to_number(view, wording)? {
            Ok(sent) => writes.extend(sent),
            Err(reason) => return Ok(Err(reason)),
        }
        Ok(Ok(writes))
    }

    /// The request of a code, by a user of whom it is not known whether the number is theirs. So nothing that is known of the number
    /// shows in what is decided: what is not sent because of it is on record, by as many events, and counts for the user as what is
    /// sent. It must find room in the budget that all users share, but takes none of it: else whoever states numbers that are sent
    /// nothing would spend what others need.
    pub(in crate::messaging) fn writes_of_code(
        &self,
        view: &View<'_>,
    ) -> Result<Result<Vec<Write>, Exhausted>, Stop> {
        let (wording, text) = self.worded(view)?;
        let (of_user, of_pair) = (self.places_of_user(view)?, self.places_of_pair(view)?);
        let (Some(mut writes), Some(of_pair)) = (of_user, of_pair) else {
            return Ok(Err(Exhausted::User));
        };
        writes.extend(of_pair);
        let (budget, segments) = (TextBudgetId::of_codes(view.now()), segments(&text));
        if !has_room(
            view,
            budget,
            segments,
            self.limits.code_segments_per_day_max,
        )? {
            return Ok(Err(Exhausted::Budget));
        }
        match self.to_number(view, wording)? {
            Ok(sent) => {
                writes.push(self.spent(budget, segments));
                writes.extend(sent);
            }
            Err(reason) => {
                writes.push(self.spent(budget, 0));
                writes.push(self.suppressed(view.now(), reason));
            }
        }
        Ok(Ok(writes))
    }

    /// The places of the user, to whichever number the text goes.
    fn places_of_user(&self, view: &View<'_>) -> Result<Option<Vec<Write>>, Stop> {
        let user_id = self.to.number.subject.to_string();
        self.places(view, &user_id, "text", self.per_recipient())
    }

    /// The places of the user for codes to this number. They are fewer than the number has, or one user could keep everybody else
    /// from having a code sent there.
    fn places_of_pair(&self, view: &View<'_>) -> Result<Option<Vec<Write>>, Stop> {
        let pair = format!("{} {}", self.to.number.subject, self.to.hash.0);
        let limits = self.limits;
        let count = (limits.codes_per_10_minutes_max, limits.codes_per_day_max);
        self.places(view, &pair, "code", count)
    }

    /// How many texts a user is sent, and a number.
    const fn per_recipient(&self) -> PerSpan {
        (self.limits.per_10_minutes_max, self.limits.per_day_max)
    }

    /// The record that the text takes so many segments of a budget.
    fn spent(&self, text_budget_id: TextBudgetId, segments: u32) -> Write {
        let spent = text_budget::Event::Spent {
            text_budget_id,
            message_id: self.message_id,
            segments,
        };
        Write::event(text_budget_id.0, spent)
    }

    /// Has the text sent to its number, unless that is sent nothing now. Several users may state one number, so it has places of its
    /// own. Codes, which anybody can have sent to a number, take no place of what its owner is sent otherwise.
    fn to_number(
        &self,
        view: &View<'_>,
        wording: Option<TemplateVersion>,
    ) -> Result<Result<Vec<Write>, Suppression>, Stop> {
        if contact_point::is_suppressed(view, &self.to.hash, &self.template)? {
            return Ok(Err(Suppression::Address));
        }
        let what = match &self.template {
            Template::PhoneCode { .. } => "code",
            Template::Welcome | Template::Notification(_) | Template::Digest(_) => "text",
        };
        let places = self.places(view, &self.to.hash.0, what, self.per_recipient())?;
        let Some(mut writes) = places else {
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

    /// Takes a place among those of ten minutes, and one among those of a day; none if the recipient, which is the user, the number
    /// or both, was sent as many as may be.
    fn places(
        &self,
        view: &View<'_>,
        recipient: &str,
        what: &str,
        (per_10_minutes_max, per_day_max): PerSpan,
    ) -> Result<Option<Vec<Write>>, Stop> {
        let spans = [
            ("10 min", per_10_minutes_max, TimeDelta::minutes(10)),
            ("day", per_day_max, TimeDelta::days(1)),
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

/// Whether a budget has so many segments left, of as many as it has at most.
fn has_room(view: &View<'_>, id: TextBudgetId, segments: u32, max: u32) -> Result<bool, Stop> {
    let budget = view.get::<TextBudget>(id.0)?;
    Ok(budget.segments.saturating_add(segments) <= max)
}

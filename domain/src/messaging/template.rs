//! Templates: what mails and texts say, in the words of operators. There is one for each channel, locale and category, and messages
//! use the newest version of it that is not retired.

mod error;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tidemark_events::identity::user::Role;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message;
use tidemark_events::messaging::template::{BodySource, Event, MessageCategory, TemplateVersion};
use tidemark_events::{Locale, Stored, TemplateId};

pub use error::Error;

use crate::decision::refusals;
use crate::identity::access;
use crate::messaging::rendering::{Checked, Fault, Faulty, Part};
use crate::{AggregateState, Command, Refusal, Stop, View, Write};

/// The state of a template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The number of its events.
    version: i64,
    /// Whether new messages use it.
    is_published: bool,
    /// What texts say, whose length is counted when they are asked for. None of mails.
    text: Option<Stored<BodySource>>,
}

impl AggregateState for Template {
    type Event = Event;

    const NONE: &'static Self = &Self {
        version: 0,
        is_published: false,
        text: None,
    };
    const STATE_VERSION: i16 = 2;

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::Published {
                version,
                channel,
                body,
                ..
            } => Self {
                version: *version,
                is_published: true,
                text: match channel {
                    Channel::Mail => None,
                    Channel::Sms => Some(body.clone()),
                },
            },
            Event::Retired { version, .. } => Self {
                version: *version,
                is_published: false,
                text: None,
            },
        };
    }

    fn heap_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}

/// The words that a new mail uses; none if it says what it says without a template.
pub(super) fn newest(
    view: &View<'_>,
    locale: &Locale,
    message: &message::Template,
) -> Result<Option<TemplateVersion>, Stop> {
    let newest = published(view, Channel::Mail, locale, message)?;
    Ok(newest.map(|(version, _)| version))
}

/// The words that a new text uses, and what they are; none if it says what it says without a template.
pub(super) fn newest_text<'a>(
    view: &View<'a>,
    locale: &Locale,
    message: &message::Template,
) -> Result<Option<(TemplateVersion, &'a str)>, Stop> {
    let newest = published(view, Channel::Sms, locale, message)?;
    Ok(newest.and_then(|(version, template)| {
        let text = template.text.as_ref()?;
        Some((version, text.as_str()))
    }))
}

/// The template that new messages by a channel use, at its newest version.
fn published<'a>(
    view: &View<'a>,
    channel: Channel,
    locale: &Locale,
    message: &message::Template,
) -> Result<Option<(TemplateVersion, &'a Template)>, Stop> {
    let category = match message {
        message::Template::Welcome => MessageCategory::Welcome,
        message::Template::Notification(notice) => notice.category.into(),
        message::Template::Digest(_) | message::Template::PhoneCode { .. } => return Ok(None),
    };
    let template_id = TemplateId::of(channel, locale.as_str(), category);
    let template = view.get::<Template>(template_id.0)?;
    let version = TemplateVersion {
        template_id,
        version: template.version,
    };
    Ok(template.is_published.then_some((version, template)))
}

/// Publishes words that new messages use from then on, in place of those before. Only an operator may do this.
#[derive(Clone, Debug)]
pub struct Publish {
    /// By which channel the messages are sent.
    pub channel: Channel,
    /// The language of the words.
    pub locale: Locale,
    /// What the messages tell of.
    pub category: MessageCategory,
    /// The words, which were tried out, or all that is wrong with them. Who may not publish any does not learn that.
    pub words: Result<Checked, Vec<Faulty>>,
}

impl Publish {
    /// The template.
    #[must_use]
    pub fn template_id(&self) -> TemplateId {
        TemplateId::of(self.channel, self.locale.as_str(), self.category)
    }
}

impl Command for Publish {
    fn name(&self) -> &'static str {
        "publish_template"
    }

    fn refusals() -> Vec<Refusal> {
        let sample = Faulty {
            part: Part::Body,
            fault: Fault::Unknown("nmae".to_owned()),
        };
        let own = refusals([Error::Faulty(sample)]);
        [access::role_refusals(Role::Operator), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require(view, Role::Operator)?;
        let words = match &self.words {
            Ok(words) => words,
            Err(faulty) => {
                let errors = faulty.iter().cloned().map(Error::Faulty);
                let refused = Refusal::all(refusals(errors));
                return refused.map(|()| Vec::new()).map_err(Stop::from);
            }
        };
        let template_id = self.template_id();
        let template = view.get::<Template>(template_id.0)?;
        let published = Event::Published {
            template_id,
            version: template.version + 1,
            channel: self.channel,
            locale: self.locale.clone().into(),
            category: self.category,
            subject: words.subject().cloned().map(Into::into),
            body: words.body().clone().into(),
            variables: words.variables().clone(),
        };
        Ok(vec![Write::event(template_id.0, published)])
    }
}

/// Retires a template, so that new messages say what they say without one. Only an operator may do this.
#[derive(Clone, Debug)]
pub struct Retire {
    /// The template.
    pub template_id: TemplateId,
}

impl Command for Retire {
    fn name(&self) -> &'static str {
        "retire_template"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::NotFound, Error::Retired]);
        [access::role_refusals(Role::Operator), own].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require(view, Role::Operator)?;
        let template = view.get::<Template>(self.template_id.0)?;
        if *template == Template::default() {
            return Err(Error::NotFound.into());
        }
        if !template.is_published {
            return Err(Error::Retired.into());
        }
        let retired = Event::Retired {
            template_id: self.template_id,
            version: template.version + 1,
        };
        Ok(vec![Write::event(self.template_id.0, retired)])
    }
}

//! Templates as operators look for them: what each says, and whether messages use it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tidemark_events::TemplateId;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::template::{Event, MessageCategory, Variable};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel, RowOf};

/// Whether messages use a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TemplateStatus, example = "published")]
pub enum Status {
    /// New messages use it.
    Published,
    /// New messages say what they say without one.
    Retired,
}

/// What messages of a category say, in a language and by a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Template)]
pub struct Row {
    /// The id of the template.
    #[schema(value_type = Uuid)]
    pub id: TemplateId,
    /// By which channel the messages are sent.
    pub channel: Channel,
    /// The language of the words.
    #[schema(example = "en")]
    pub locale: String,
    /// What the messages tell of.
    pub category: MessageCategory,
    /// Whether new messages use it.
    pub status: Status,
    /// The subject, with places for variables. None if the messages are texts.
    #[schema(example = "You were outbid: {{ title }}")]
    pub subject: Option<String>,
    /// The body, with places for variables.
    #[schema(example = "Hello {{ name }}, somebody else has bid more for {{ title }}.")]
    pub body: String,
    /// What they have places for.
    pub variables: BTreeSet<Variable>,
    /// When the words were published.
    pub published_at: DateTime<Utc>,
    /// The version of the template: the number of its changes. Messages name the one that they use.
    #[schema(minimum = 1, example = 7)]
    pub version: i64,
}

/// The read model whose rows are templates, each under its own id.
#[derive(Clone, Copy, Debug)]
pub struct Template;

impl ReadModel for Template {
    const NAME: &'static str = "template";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::Types(&["template.published", "template.retired"]);
    const ROW_OF: RowOf = RowOf::Stream;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        let id = input.event_of().map(|event| match event {
            Event::Published { template_id, .. } | Event::Retired { template_id, .. } => {
                template_id.0
            }
        });
        id.into_iter().collect()
    }

    fn fold(_: Uuid, row: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        match input.event_of() {
            Some(Event::Published {
                template_id,
                channel,
                locale,
                category,
                subject,
                body,
                variables,
                ..
            }) => Some(Row {
                id: *template_id,
                channel: *channel,
                locale: String::clone(locale),
                category: *category,
                status: Status::Published,
                subject: subject.as_deref().cloned(),
                body: String::clone(body),
                variables: variables.clone(),
                published_at: input.recorded.recorded_at,
                version: input.recorded.version,
            }),
            Some(Event::Retired { .. }) => row.map(|row| Row {
                status: Status::Retired,
                version: input.recorded.version,
                ..row
            }),
            None => row,
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::AggregateEvent;
    use tidemark_events::samples::{TEMPLATE, all};

    use super::*;
    use crate::testing::given;

    #[test]
    fn a_template_is_listed_with_its_newest_words_also_when_it_is_retired() {
        let events = all().into_iter();
        let events: Vec<_> = events
            .filter_map(|event| Event::from_event(&event).cloned())
            .collect();
        let status = |number| {
            let rows = given::<Template>(events.iter().take(number).cloned());
            (rows[&TEMPLATE.0].status, rows[&TEMPLATE.0].body.clone())
        };
        let body = "Hello {{ name }}".to_owned();
        assert_eq!(status(1), (Status::Published, body.clone()));
        assert_eq!(status(2), (Status::Retired, body));
    }
}

//! Reads from the log the words that operators have published.

use tidemark_event_store::Log;
use tidemark_events::messaging::template;
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::{Event, Recorded};

use super::delivery::Unsent;

/// The words of a template, with places for variables.
pub(super) struct Source {
    /// The subject; none of texts.
    pub(super) subject: Option<String>,
    pub(super) body: String,
}

/// The words of a template at a version, which never change.
pub(super) async fn published(
    log: &Log,
    wording: TemplateVersion,
) -> Result<Option<Source>, Unsent> {
    let TemplateVersion {
        template_id,
        version,
    } = wording;
    let events = log.stream(template_id.0, version - 1, 1).await;
    let events = events.map_err(|error| Unsent::failed(&error))?;
    let event = events.first().map(Recorded::decode);
    let event = event.transpose().map_err(|error| Unsent::failed(&error))?;
    Ok(match event {
        Some(Event::Template(template::Event::Published { subject, body, .. })) => Some(Source {
            subject: subject.as_deref().cloned(),
            body: String::clone(&body),
        }),
        _ => None,
    })
}

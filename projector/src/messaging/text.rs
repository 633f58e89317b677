//! What mails say, and how they are written: the same bytes at each attempt.

use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use tidemark_events::MessageId;
use tidemark_events::messaging::message::Template;

/// Says that no person has written the mail, so that nothing answers it by itself (RFC 3834, section 5).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Writes a mail. Its date is the time in the message's id.
///
/// # Errors
/// If a header cannot be written.
pub(super) fn write(
    from: &Mailbox,
    to: Mailbox,
    message_id: MessageId,
    template: Template,
) -> Result<Message, lettre::error::Error> {
    let (subject, body) = match template {
        Template::Welcome => ("Welcome to Tidemark", welcome(to.name.as_deref())),
    };
    let id = format!("<{}@{}>", message_id.0, from.email.domain());
    Message::builder()
        .message_id(Some(id))
        .date(time_of(message_id))
        .from(from.clone())
        .to(to)
        .subject(subject)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(body)
}

fn welcome(name: Option<&str>) -> String {
    let name = name.unwrap_or("there");
    format!("Hello {name},\r\n\r\nwelcome. You can log in with this e-mail address, and bid.\r\n")
}

/// The time in an id.
fn time_of(message_id: MessageId) -> SystemTime {
    let (seconds, nanoseconds) = message_id
        .0
        .get_timestamp()
        .map_or((0, 0), |time| time.to_unix());
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

//! What mails say, and how they are written: the same bytes at each attempt.

use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::{Address, Message, address};
use tidemark_domain::messaging::rendering;
use tidemark_domain::messaging::rendering::{Fault, Values};
use tidemark_domain::messaging::wording;
use tidemark_domain::messaging::wording::{headline, money, one_line, why};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::notice::Notice;
use tidemark_events::messaging::notification;
use tidemark_events::messaging::template::Variable;
use tidemark_events::tasks::task::PauseReason;
use tidemark_events::{MessageId, TaskId};

use super::digest;
use super::words::Source;

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

/// The URL by which a recipient stops mails (RFC 2369, section 3.2).
#[derive(Clone, Debug)]
struct ListUnsubscribe(String);

impl Header for ListUnsubscribe {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.trim_matches(['<', '>']).to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), format!("<{}>", self.0))
    }
}

/// Says that one request to that URL is enough (RFC 8058, section 3.1).
#[derive(Clone, Debug)]
struct ListUnsubscribePost;

impl Header for ListUnsubscribePost {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Unsubscribe-Post")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "List-Unsubscribe=One-Click".to_owned())
    }
}

/// Whom a mail comes from and is for, and what it is known by.
pub(super) struct Envelope {
    pub(super) from: Mailbox,
    /// Where it comes back to if it cannot be delivered; none if that is where it comes from.
    pub(super) return_path: Option<Address>,
    pub(super) to: Mailbox,
    pub(super) message_id: MessageId,
    /// The link by which the recipient stops such mails, if that is possible.
    pub(super) unsubscribe: Option<String>,
}

/// What a mail says.
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) body: String,
}

impl Words {
    /// What a mail says for which there is no template.
    pub(super) fn without_template(template: &Template, name: &str) -> Self {
        let (subject, text) = match template {
            Template::Welcome => (
                "Welcome to Tidemark".to_owned(),
                "welcome. You can log in with this e-mail address, and bid.".to_owned(),
            ),
            // Only texts bring codes, which nobody but the telephone's owner may read.
            Template::PhoneCode { .. } => (
                "Your telephone".to_owned(),
                "a code was sent to your telephone.".to_owned(),
            ),
            Template::Notification(notice) => notification(notice),
            Template::Digest(listing) => digest::words(listing),
        };
        let body = format!("Hello {name},\r\n\r\n{text}\r\n");
        Self { subject, body }
    }

    /// What a mail says by a template.
    ///
    /// # Errors
    /// If it cannot be rendered, which was tried out when it was published.
    pub(super) fn of_template(
        source: &Source,
        template: &Template,
        name: &str,
    ) -> Result<Self, Fault> {
        let values = values(template, name);
        let subject = source.subject.as_deref().unwrap_or_default();
        let subject = rendering::render(subject, &values)?;
        if !rendering::is_one_line(&subject) {
            return Err(Fault::NotOneLine);
        }
        let body = rendering::render(&source.body, &values)?;
        let body = body.replace('\n', "\r\n") + "\r\n";
        Ok(Self { subject, body })
    }
}

/// What a template has places for. None of it has line breaks, or other characters that nobody sees.
fn values(template: &Template, name: &str) -> Values {
    let mut values = match template {
        Template::Notification(notice) => wording::values(notice),
        Template::Welcome | Template::Digest(_) | Template::PhoneCode { .. } => Values::new(),
    };
    values.insert(Variable::Name, one_line(name));
    values
}

/// Writes a mail. Its date is the time in the message's id.
///
/// # Errors
/// If a header cannot be written.
pub(super) fn write(envelope: Envelope, words: Words) -> Result<Message, lettre::error::Error> {
    let Envelope {
        from,
        return_path,
        to,
        message_id,
        unsubscribe,
    } = envelope;
    let Words { subject, mut body } = words;
    let id = format!("<{}@{}>", message_id.0, from.email.domain());
    let mut mail = Message::builder();
    if let Some(return_path) = return_path {
        let recipients = vec![to.email.clone()];
        mail = mail.envelope(address::Envelope::new(Some(return_path), recipients)?);
    }
    if let Some(url) = unsubscribe {
        body += "\r\nNo more mails like this: ";
        body += &url;
        body += "\r\n";
        mail = mail
            .header(ListUnsubscribe(url))
            .header(ListUnsubscribePost);
    }
    mail.message_id(Some(id))
        .date(time_of(message_id))
        .from(from)
        .to(to)
        .subject(subject)
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(body)
}

/// The subject and the text of a mail that brings a notification.
fn notification(notice: &Notice) -> (String, String) {
    let (auction_id, title, amount) = match &notice.subject {
        notification::Subject::Auction {
            auction_id,
            title,
            amount,
            ..
        } => (auction_id, title, amount),
        notification::Subject::Task {
            task_id,
            name,
            reason,
        } => return paused(*task_id, name, *reason),
    };
    let title = one_line(title);
    let amount = amount.as_ref().map(|amount| money(**amount));
    let text = match (notice.category, amount) {
        (Category::Outbid, Some(bid)) => format!(
            "somebody else has bid {bid} for \"{title}\". You can bid again until the auction ends."
        ),
        (Category::Outbid, None) => format!(
            "somebody else has bid more for \"{title}\". You can bid again until the auction ends."
        ),
        (Category::Won, price) => format!("\"{title}\" is yours{}.", at(price)),
        (Category::NotWon, Some(price)) => {
            format!("\"{title}\" was sold to somebody else for {price}.")
        }
        (Category::NotWon, None) => format!(
            "the auction of \"{title}\" has ended, and nothing was sold: no bid was high enough."
        ),
        (Category::Sold, price) => format!("\"{title}\" is sold{}.", at(price)),
        (Category::Unsold, _) => format!(
            "the auction of \"{title}\" has ended, and nothing was sold. You can offer it again."
        ),
        (Category::EndsSoon, Some(bid)) => format!(
            "the auction of \"{title}\", which you watch, ends soon. The highest bid is {bid}."
        ),
        (Category::EndsSoon, None) => {
            format!("the auction of \"{title}\", which you watch, ends soon. Nobody has bid.")
        }
        (Category::TaskPaused, _) => format!("\"{title}\" was paused."),
    };
    let what = headline(notice.category);
    let text = format!("{text}\r\n\r\nAuction {auction_id}");
    (format!("{what}: {title}"), text)
}

/// The subject and the text of a mail that tells of a task that was paused.
fn paused(task_id: TaskId, name: &str, reason: PauseReason) -> (String, String) {
    let name = one_line(name);
    let why = why(reason);
    let text = format!(
        "your task \"{name}\" was paused, since {why}. It does not run until you resume it.\r\n\r\nTask {task_id}"
    );
    let what = headline(Category::TaskPaused);
    (format!("{what}: {name}"), text)
}

fn at(price: Option<String>) -> String {
    price.map_or_else(String::new, |price| format!(" for {price}"))
}

/// The time in an id.
fn time_of(message_id: MessageId) -> SystemTime {
    let (seconds, nanoseconds) = message_id
        .0
        .get_timestamp()
        .map_or((0, 0), |time| time.to_unix());
    SystemTime::UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event;
    use tidemark_events::samples::{self, AUCTION};

    use super::*;

    fn notice(category: Category) -> Notice {
        let raised = samples::all().into_iter().find_map(|event| {
            if let Event::Notification(notification::Event::Raised {
                notification_id,
                subject,
                ..
            }) = event
            {
                Some((notification_id, subject))
            } else {
                None
            }
        });
        let (notification_id, subject) = raised.unwrap();
        Notice {
            notification_id,
            category,
            subject,
        }
    }

    #[test]
    fn every_notification_names_the_product_and_the_auction() {
        for category in Category::ALL {
            let (subject, text) = notification(&notice(category));
            assert!(subject.ends_with(": Field camera"), "{subject}");
            assert!(text.contains("\"Field camera\""), "{text}");
            assert!(text.ends_with(&format!("Auction {AUCTION}")), "{text}");
        }
        let (subject, text) = notification(&notice(Category::Outbid));
        assert_eq!(subject, "You were outbid: Field camera");
        assert!(text.contains("has bid 120.00 EUR"), "{text}");
    }

    #[test]
    fn a_task_that_was_paused_is_named_with_the_reason() {
        let notice = Notice {
            subject: notification::Subject::Task {
                task_id: samples::TASK,
                name: samples::stored("Fetch prices"),
                reason: PauseReason::Gone,
            },
            ..notice(Category::TaskPaused)
        };
        let (subject, text) = notification(&notice);
        assert_eq!(subject, "A task was paused: Fetch prices");
        assert!(text.contains("\"Fetch prices\" was paused, since its server"));
        assert!(text.ends_with(&format!("Task {}", samples::TASK)), "{text}");
    }
}

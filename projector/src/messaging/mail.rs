//! The effect that sends a mail.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::{Address, Message};
use metrics::counter;
use serde_json::json;
use tidemark_domain::messaging::bounce::Bounce;
use tidemark_domain::messaging::processes::mailer;
use tidemark_event_store::{
    Log, LookupKey, ReturnPath, SealError, SubjectKeys, TimedPool, Unsubscription,
};
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::{Status, Template};
use tidemark_events::{MessageId, Sealed};
use tidemark_platform::Config;
use tidemark_platform::config::required;
use uuid::Uuid;

use super::smtp::{Delivery, SmtpServer};
use super::text;
use super::text::Envelope;
use crate::error::{Error, with_causes};
use crate::reacting::effects::{Effect, Outcome, Performed};

/// The pauses after the first attempts, in minutes. The last of them follows all later ones.
const PAUSES_MIN: [u64; 5] = [1, 5, 15, 30, 60];

/// Where mails are handed over.
enum Destination {
    /// To a mail server.
    Server(SmtpServer),
    /// Into a folder, a file each.
    Folder(PathBuf),
}

/// Sends mails.
pub(crate) struct SendMail {
    destination: Destination,
    from: Mailbox,
    keys: SubjectKeys,
    ways: Option<Ways>,
    log: Log,
}

/// What makes mails come back to Tidemark: by a link that is followed, or as what could not be delivered.
struct Ways {
    /// What links begin with, if there are any.
    public_url: Option<String>,
    /// Where mails come back to that cannot be delivered, if that is anywhere.
    return_path: Option<Address>,
    key: LookupKey,
}

impl Ways {
    /// What the configuration says; none if mails do not come back at all.
    fn from_config(config: &Config) -> Result<Option<Self>, Error> {
        let settings = &config.mail;
        let public_url = settings.public_url.trim_end_matches('/').to_owned();
        let return_path = settings.return_path.clone();
        if public_url.is_empty() && return_path.is_empty() {
            return Ok(None);
        }
        let key = required(&config.sealing.lookup_key, "sealing.lookup_key")?;
        let key = STANDARD.decode(key).map_err(|_| SealError::KeyLength)?;
        let ways = Self {
            public_url: (!public_url.is_empty()).then_some(public_url),
            return_path: (!return_path.is_empty())
                .then(|| return_path.parse())
                .transpose()
                .map_err(Error::MailReturnPath)?,
            key: LookupKey::new(key)?,
        };
        // An address that is too long is found now, and not with the first mail.
        ways.return_path(MessageId(Uuid::nil()))?;
        Ok(Some(ways))
    }

    /// The link by which the recipient stops such mails; none if everybody gets them.
    fn unsubscribe(&self, mail: &mailer::Mail) -> Option<String> {
        let public_url = self.public_url.as_ref()?;
        let category = match &mail.template {
            Template::Notification(notice) if !mail.template.is_critical() => notice.category,
            Template::Notification(_) | Template::Welcome => return None,
        };
        let unsubscription = Unsubscription {
            user_id: mail.to.subject,
            category,
        };
        let token = unsubscription.token(&self.key);
        Some(format!("{public_url}/unsubscribe/{token}"))
    }

    /// Where this message comes back to if it cannot be delivered.
    fn return_path(&self, message_id: MessageId) -> Result<Option<Address>, Error> {
        let Some(base) = &self.return_path else {
            return Ok(None);
        };
        let tag = ReturnPath { message_id }.tag(&self.key);
        let local_part = format!("{}+{tag}", base.user());
        let address = Address::new(local_part, base.domain());
        address.map(Some).map_err(Error::MailReturnPath)
    }
}

#[async_trait]
impl Effect for SendMail {
    const NAME: &'static str = mailer::MAIL;
    type Body = mailer::Mail;

    async fn perform(&self, mail: mailer::Mail, attempt: i32) -> Performed {
        let delivery = self.try_to_send(&mail).await;
        let is_answer = |it: &_| !matches!(it, Delivery::Uncertain | Delivery::Unreachable(_));
        let has_answered = delivery.as_ref().ok().map(is_answer);
        let over = |outcome: message::Outcome, status: Option<String>| Outcome::Over {
            path: format!("/v1/messages/{}/end", mail.message_id),
            body: Some(json!({"outcome": outcome, "status": status})),
        };
        let outcome = match delivery {
            Ok(Delivery::Accepted(status)) => over(message::Outcome::Accepted, status),
            Ok(Delivery::Refused(status)) => {
                count_refusal(status.as_deref());
                over(message::Outcome::Bounced, status)
            }
            Ok(Delivery::Deferred(status)) if self.is_last(&mail, attempt).await => {
                over(message::Outcome::Expired, Some(status))
            }
            Ok(Delivery::Uncertain) => over(message::Outcome::Uncertain, None),
            Err(Unsent::Expired) => over(message::Outcome::Expired, None),
            Err(Unsent::Erased) => over(message::Outcome::RecipientErased, None),
            Ok(
                Delivery::Deferred(reason)
                | Delivery::NotNow(reason)
                | Delivery::Unreachable(reason),
            )
            | Err(Unsent::Failed(reason)) => Outcome::Later {
                after: pause(attempt),
                reason,
            },
        };
        Performed {
            outcome,
            has_answered,
        }
    }
}

/// Why no attempt was made.
enum Unsent {
    Expired,
    Erased,
    Failed(String),
}

impl SendMail {
    /// What the configuration says, with what these keys unseal; none if it names neither a server nor a folder.
    ///
    /// # Errors
    /// If the address that mails come from is none.
    pub(crate) fn from_config(
        config: &Config,
        pool: TimedPool,
        keys: SubjectKeys,
    ) -> Result<Option<Self>, Error> {
        let settings = &config.mail;
        let destination = if !settings.smtp_host.is_empty() {
            Destination::Server(SmtpServer::new(settings.clone()))
        } else if !settings.folder.is_empty() {
            Destination::Folder(settings.folder.clone().into())
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            destination,
            from: settings.from.parse().map_err(Error::MailFrom)?,
            keys,
            ways: Ways::from_config(config)?,
            log: Log::new(pool),
        }))
    }

    /// Whether the mail is of no use any more when it would be tried again. Then what the server says now is the last that is
    /// known of it.
    async fn is_last(&self, mail: &mailer::Mail, attempt: i32) -> bool {
        let now = self.log.now().await;
        now.is_ok_and(|now| now + pause(attempt) > *mail.not_after)
    }

    async fn try_to_send(&self, mail: &mailer::Mail) -> Result<Delivery, Unsent> {
        let failed = |error: &dyn std::error::Error| Unsent::Failed(with_causes(error));
        let now = self.log.now().await.map_err(|error| failed(&error))?;
        if now > *mail.not_after {
            return Err(Unsent::Expired);
        }
        let address = self.unseal("email", &mail.to).await?;
        let name = self.unseal("display_name", &mail.name).await?;
        // What is no address for mails will not become one.
        let Ok(address) = address.parse::<Address>() else {
            return Ok(Delivery::Refused(None));
        };
        let to = Mailbox::new(Some(name), address);
        let ways = self.ways.as_ref();
        let return_path = ways.map(|it| it.return_path(mail.message_id));
        let return_path = return_path.transpose().map_err(|error| failed(&error))?;
        let envelope = Envelope {
            from: self.from.clone(),
            return_path: return_path.flatten(),
            to,
            message_id: mail.message_id,
            unsubscribe: ways.and_then(|it| it.unsubscribe(mail)),
        };
        let written = text::write(envelope, &mail.template);
        let written = written.map_err(|error| failed(&error))?;
        match &self.destination {
            Destination::Server(server) => Ok(server.deliver(&written).await),
            Destination::Folder(folder) => {
                let file = folder.join(format!("{}.eml", mail.message_id));
                let putting = put(&written, file).await;
                putting.map_err(|error| failed(&error))?;
                Ok(Delivery::Accepted(None))
            }
        }
    }

    async fn unseal(&self, field: &str, sealed: &Sealed) -> Result<String, Unsent> {
        match self.keys.unseal(field, sealed).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Unsent::Erased),
            Err(error) => Err(Unsent::Failed(with_causes(&error))),
        }
    }
}

/// Counts a mail that was refused because the server wants none from here: it refuses more than one.
fn count_refusal(status: Option<&str>) {
    let status = status.and_then(|it| Status::try_from(it.to_owned()).ok());
    if status.is_some_and(|it| Bounce::of(&it) == Bounce::Policy) {
        counter!("tidemark_mails_refused_by_policy_total").increment(1);
    }
}

/// Writes a mail as a file, under another name until it is whole.
async fn put(mail: &Message, file: PathBuf) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let partial = file.with_extension("partial");
    tokio::fs::write(&partial, mail.formatted()).await?;
    tokio::fs::rename(partial, file).await
}

/// The pause after the attempt with this number.
fn pause(attempt: i32) -> Duration {
    let attempt = usize::try_from(attempt).unwrap_or(1).max(1);
    let minutes = PAUSES_MIN[(attempt - 1).min(PAUSES_MIN.len() - 1)];
    Duration::from_secs(60 * minutes)
}

//! The effect that sends a mail.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::Address;
use lettre::message::Mailbox;
use tidemark_domain::messaging::processes::mailer;
use tidemark_event_store::{
    Log, LookupKey, ReturnPath, SealError, SubjectKeys, TimedPool, Unsubscription,
};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message;
use tidemark_events::{Event, MessageId};
use tidemark_platform::Config;
use tidemark_platform::config::required;
use uuid::Uuid;

use super::delivery::{Attempt, Delivery, Unsent, put, unseal};
use super::smtp::SmtpServer;
use super::text;
use super::text::{Envelope, Words};
use super::words;
use crate::error::{Error, with_causes};
use crate::reacting::effects::{Effect, Outcome, Performed};

/// More events than a message has.
const EVENTS_MAX: i64 = 20;

/// Where mails are handed over.
enum Destination {
    /// To a mail server.
    Server(Box<SmtpServer>),
    /// Into a folder, a file each.
    Folder(PathBuf),
}

/// Sends mails.
pub(crate) struct SendMail {
    destination: Destination,
    from: Mailbox,
    /// How long it waits before each further attempt at a mail that was not taken.
    pauses_ms: Vec<u32>,
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
        let category = mail.template.category()?;
        if mail.template.is_critical() {
            return None;
        }
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

    async fn perform(&self, mail: mailer::Mail, _: &str, attempt: i32) -> Performed {
        self.send(&mail, attempt).await
    }
}

/// Sends a mail once more of which nobody knows whether the server has it, unless it has come back meanwhile.
pub(crate) struct RepeatMail(pub(crate) Arc<SendMail>);

#[async_trait]
impl Effect for RepeatMail {
    const NAME: &'static str = mailer::REPEAT;
    type Body = mailer::Repeat;

    async fn perform(&self, repeat: mailer::Repeat, _: &str, attempt: i32) -> Performed {
        let outcome = match self.0.awaited(repeat.message_id).await {
            Ok(Some(mail)) => return self.0.send(&mail, attempt).await,
            Ok(None) => Outcome::NotNeeded,
            Err(reason) => Outcome::Failed(reason),
        };
        Performed {
            outcome,
            contact: None,
        }
    }
}

impl SendMail {
    /// Tries once to send a mail.
    async fn send(&self, mail: &mailer::Mail, attempt: i32) -> Performed {
        let attempt = Attempt {
            log: &self.log,
            channel: Channel::Mail,
            message_id: mail.message_id,
            not_after: *mail.not_after,
            number: attempt,
            pauses_ms: &self.pauses_ms,
        };
        let delivery = self.try_to_send(mail, &attempt).await;
        attempt.performed(delivery).await
    }

    /// What a message is made of; none if its sending is over.
    async fn awaited(&self, message_id: MessageId) -> Result<Option<mailer::Mail>, String> {
        let events = self.log.stream(message_id.0, 0, EVENTS_MAX).await;
        let events = events.map_err(|error| with_causes(&error))?;
        let mut mail = None;
        for recorded in events {
            let event = recorded.decode().map_err(|error| with_causes(&error))?;
            if let Event::Message(event) = event {
                let is_over = matches!(
                    event,
                    message::Event::Ended { .. }
                        | message::Event::Bounced { .. }
                        | message::Event::Complained { .. }
                );
                if is_over {
                    return Ok(None);
                }
                mail = mail.or_else(|| mailer::Mail::of(&event));
            }
        }
        Ok(mail)
    }

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
            Destination::Server(Box::new(SmtpServer::new(settings.clone())))
        } else if !settings.folder.is_empty() {
            Destination::Folder(settings.folder.clone().into())
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            destination,
            from: settings.from.parse().map_err(Error::MailFrom)?,
            pauses_ms: settings.retry_pauses_ms.clone(),
            keys,
            ways: Ways::from_config(config)?,
            log: Log::new(pool),
        }))
    }

    async fn try_to_send(
        &self,
        mail: &mailer::Mail,
        attempt: &Attempt<'_>,
    ) -> Result<Delivery, Unsent> {
        attempt.time_left().await?;
        let address = unseal(&self.keys, "email", &mail.to).await?;
        let name = unseal(&self.keys, "display_name", &mail.name).await?;
        // What is no address for mails will not become one.
        let Ok(address) = address.parse::<Address>() else {
            return Ok(Delivery::Refused(None));
        };
        let words = self.words(mail, &name).await?;
        let to = Mailbox::new(Some(name), address);
        let ways = self.ways.as_ref();
        let return_path = ways.map(|it| it.return_path(mail.message_id));
        let return_path = return_path.transpose();
        let return_path = return_path.map_err(|error| Unsent::failed(&error))?;
        let envelope = Envelope {
            from: self.from.clone(),
            return_path: return_path.flatten(),
            to,
            message_id: mail.message_id,
            unsubscribe: ways.and_then(|it| it.unsubscribe(mail)),
        };
        let written = match text::write(envelope, words) {
            Ok(written) => written,
            // Neither will an address that no mail can be addressed to, such as that of a host.
            Err(lettre::error::Error::MissingTo) => return Ok(Delivery::Refused(None)),
            Err(error) => return Err(Unsent::failed(&error)),
        };
        match &self.destination {
            Destination::Server(server) => Ok(server.deliver(&written).await),
            Destination::Folder(folder) => {
                let file = folder.join(format!("{}.eml", mail.message_id));
                put(&written.formatted(), file).await
            }
        }
    }

    /// What the mail says: by the template that it names, or without one.
    async fn words(&self, mail: &mailer::Mail, name: &str) -> Result<Words, Unsent> {
        if let Some(wording) = mail.wording
            && let Some(source) = words::published(&self.log, wording).await?
        {
            match Words::of_template(&source, &mail.template, name) {
                Ok(words) => return Ok(words),
                Err(error) => {
                    let template_id = wording.template_id;
                    tracing::error!(%template_id, %error, "a template cannot be rendered, and is not used");
                }
            }
        }
        Ok(Words::without_template(&mail.template, name))
    }
}

//! The effect that sends a text.

use std::path::PathBuf;

use async_trait::async_trait;
use tidemark_domain::AggregateState;
use tidemark_domain::identity::user::User;
use tidemark_domain::messaging::processes::texter;
use tidemark_domain::messaging::wording;
use tidemark_event_store::{Log, SubjectKeys, TimedPool};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::Template;
use tidemark_events::{Event, PhoneNumber, Sealed};
use tidemark_platform::config::required;
use tidemark_platform::{Config, config};

use super::delivery::{Attempt, Delivery, Unsent, put, unseal};
use super::provider::{Outgoing, Provider};
use super::words;
use crate::error::Error;
use crate::reacting::effects::{Effect, Performed};

/// How many events of a user are read at once.
const EVENTS_READ: i64 = 256;

/// Where texts are handed over.
enum Destination {
    /// To a provider.
    Provider(Provider),
    /// Into a folder, a file each.
    Folder(PathBuf),
}

/// Sends texts.
pub(crate) struct SendText {
    destination: Destination,
    settings: config::Sms,
    keys: SubjectKeys,
    log: Log,
}

#[async_trait]
impl Effect for SendText {
    const NAME: &'static str = texter::TEXT;
    type Body = texter::Text;

    async fn perform(&self, text: texter::Text, _: &str, attempt: i32) -> Performed {
        let attempt = Attempt {
            log: &self.log,
            channel: Channel::Sms,
            message_id: text.message_id,
            not_after: *text.not_after,
            number: attempt,
            pauses_ms: &self.settings.retry_pauses_ms,
        };
        let delivery = self.try_to_send(&text, &attempt).await;
        attempt.performed(delivery).await
    }
}

impl SendText {
    /// What the configuration says, with what these keys unseal; none if it names neither a provider nor a folder.
    ///
    /// # Errors
    /// If TLS cannot be set up, or there is a provider without an account, its token or a sender.
    pub(crate) fn from_config(
        config: &Config,
        pool: TimedPool,
        keys: SubjectKeys,
    ) -> Result<Option<Self>, Error> {
        let settings = config.sms.clone();
        let destination = if !settings.provider_url.is_empty() {
            required(&settings.account.clone().into(), "sms.account")?;
            required(&settings.token, "sms.token")?;
            required(&settings.sender.clone().into(), "sms.sender")?;
            Destination::Provider(Provider::new(&settings)?)
        } else if !config.mail.folder.is_empty() {
            Destination::Folder(config.mail.folder.clone().into())
        } else {
            return Ok(None);
        };
        Ok(Some(Self {
            destination,
            settings,
            keys,
            log: Log::new(pool),
        }))
    }

    /// What the text says: by the template that it names, or without one.
    async fn body(&self, text: &texter::Text, code: &str) -> Result<String, Unsent> {
        let max = self.settings.segments_max;
        if let (Some(version), Template::Notification(notice)) = (text.wording, &text.template)
            && let Some(source) = words::published(&self.log, version).await?
            && let Some(body) = wording::text_of_template(&source.body, notice, max)
        {
            return Ok(body);
        }
        Ok(wording::text(&text.template, code, max))
    }

    /// Whether the number is the user's, or awaits its code, as it was when the text was asked for. Each time that a number is
    /// stated, it is sealed anew.
    async fn is_still_stated(&self, number: &Sealed) -> Result<bool, Unsent> {
        let mut user = User::default();
        let mut version = 0;
        loop {
            let stream = self.log.stream(number.subject.0, version, EVENTS_READ);
            let events = stream.await;
            let events = events.map_err(|error| Unsent::failed(&error))?;
            for event in &events {
                version = event.version;
                let event = event.decode().map_err(|error| Unsent::failed(&error))?;
                if let Event::User(event) = &event {
                    user.evolve(event);
                }
            }
            let is_end = i64::try_from(events.len()).is_ok_and(|read| read < EVENTS_READ);
            if is_end {
                return Ok(user.states_phone(number));
            }
        }
    }

    async fn try_to_send(
        &self,
        text: &texter::Text,
        attempt: &Attempt<'_>,
    ) -> Result<Delivery, Unsent> {
        let time_left = attempt.time_left().await?;
        if !self.is_still_stated(&text.to).await? {
            return Err(Unsent::Withdrawn);
        }
        let number = unseal(&self.keys, "phone_number", &text.to).await?;
        let code = match &text.template {
            Template::PhoneCode { code } => unseal(&self.keys, "phone_code", code).await?,
            Template::Welcome | Template::Notification(_) | Template::Digest(_) => String::new(),
        };
        let prefixes = &self.settings.allowed_prefixes;
        let number = PhoneNumber::try_from(number).ok();
        // Settings may have changed since the number was stated.
        let Some(number) = number.filter(|it| it.begins_with_any(prefixes)) else {
            return Ok(Delivery::Refused(None));
        };
        let body = self.body(text, &code).await?;
        match &self.destination {
            Destination::Provider(provider) => {
                let outgoing = Outgoing {
                    message_id: text.message_id,
                    to: number.as_str(),
                    body: &body,
                    time_left,
                };
                Ok(provider.deliver(&outgoing).await)
            }
            Destination::Folder(folder) => {
                let file = folder.join(format!("{}.txt", text.message_id));
                let content = format!("To: {}\n\n{body}\n", number.as_str());
                put(content.as_bytes(), file).await
            }
        }
    }
}

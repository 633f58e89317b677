//! The effect that sends a text.

use std::path::PathBuf;

use async_trait::async_trait;
use metrics::counter;
use tidemark_domain::messaging::bounce::Bounce;
use tidemark_domain::messaging::processes::texter;
use tidemark_domain::messaging::wording;
use tidemark_event_store::{Log, SubjectKeys, TimedPool};
use tidemark_events::PhoneNumber;
use tidemark_events::messaging::message::{Status, Template};
use tidemark_platform::config::required;
use tidemark_platform::{Config, config};

use super::delivery::{Attempt, Delivery, Unsent, put, unseal};
use super::provider::{Outgoing, Provider};
use crate::error::Error;
use crate::reacting::effects::{Effect, Performed};

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
            message_id: text.message_id,
            not_after: *text.not_after,
            number: attempt,
        };
        let delivery = self.try_to_send(&text, &attempt).await;
        if let Ok(Delivery::Refused(Some(status))) = &delivery {
            count_refusal(status);
        }
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

    async fn try_to_send(
        &self,
        text: &texter::Text,
        attempt: &Attempt<'_>,
    ) -> Result<Delivery, Unsent> {
        let time_left = attempt.time_left().await?;
        let number = unseal(&self.keys, "phone_number", &text.to).await?;
        let code = match &text.template {
            Template::PhoneCode { code } => unseal(&self.keys, "phone_code", code).await?,
            Template::Welcome | Template::Notification(_) => String::new(),
        };
        let prefixes = &self.settings.allowed_prefixes;
        let number = PhoneNumber::try_from(number).ok();
        // Settings may have changed since the number was stated.
        let Some(number) = number.filter(|it| it.begins_with_any(prefixes)) else {
            return Ok(Delivery::Refused(None));
        };
        let body = wording::text(&text.template, &code, self.settings.segments_max);
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

/// Counts a text that was refused because of the account, the sender, the country or the words: more than one will be.
fn count_refusal(status: &str) {
    let status = Status::try_from(status.to_owned());
    if status.is_ok_and(|it| Bounce::of_text(&it) == Bounce::Policy) {
        counter!("tidemark_texts_refused_by_policy_total").increment(1);
    }
}

//! Hands texts to a provider by the protocol that Twilio documents: a form is posted, and what is answered says whether the
//! provider has taken the text.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use tidemark_events::MessageId;
use tidemark_platform::config;

use super::delivery::Delivery;
use crate::error::with_causes;

/// The most that is read of an answer.
const READ_BYTES_MAX: usize = 64 * 1_024;
/// The longest time for which a provider tries to reach a telephone.
const VALIDITY_MAX_S: u64 = 14_400;

/// A provider of texts.
pub(super) struct Provider {
    client: Client,
    settings: config::Sms,
}

/// A text as the provider is sent it.
pub(super) struct Outgoing<'a> {
    pub(super) message_id: MessageId,
    pub(super) to: &'a str,
    pub(super) body: &'a str,
    /// For how long it is of use.
    pub(super) time_left: Duration,
}

/// What an answer says of an error.
#[derive(Deserialize)]
struct Refusal {
    code: u32,
}

impl Provider {
    /// The provider of the configuration.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(super) fn new(settings: &config::Sms) -> reqwest::Result<Self> {
        let timeout = Duration::from_millis(settings.request_timeout_ms);
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(timeout)
            // Before there is a connection, it is certain that nothing was sent.
            .connect_timeout(timeout / 2)
            .user_agent(concat!("Tidemark/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            settings: settings.clone(),
        })
    }

    /// Tries once to hand over a text.
    pub(super) async fn deliver(&self, text: &Outgoing<'_>) -> Delivery {
        let settings = &self.settings;
        let base = settings.provider_url.trim_end_matches('/');
        let account = &settings.account;
        let sending = self
            .client
            .post(format!(
                "{base}/2010-04-01/Accounts/{account}/Messages.json"
            ))
            .basic_auth(account, Some(settings.token.expose_secret()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(text))
            .send();
        match sending.await {
            Ok(response) => answered(response).await,
            // Nothing was sent. After any other failure the provider may have taken the text.
            Err(error) if error.is_connect() || error.is_builder() => {
                Delivery::Unreachable(with_causes(&error.without_url()))
            }
            Err(_) => Delivery::Uncertain,
        }
    }

    fn form(&self, text: &Outgoing<'_>) -> String {
        let validity_s = text.time_left.as_secs().clamp(1, VALIDITY_MAX_S);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("To", text.to)
            .append_pair("From", &self.settings.sender)
            .append_pair("Body", text.body)
            .append_pair("ValidityPeriod", &validity_s.to_string());
        let callback = self.settings.callback_url.trim_end_matches('/');
        if !callback.is_empty() {
            let url = format!("{callback}/texts/{}/status", text.message_id);
            form.append_pair("StatusCallback", &url);
        }
        form.finish()
    }
}

/// What an answer says. A provider that cannot take texts from this account, or has too much to do, says nothing of this one.
async fn answered(response: Response) -> Delivery {
    let status = response.status();
    match status.as_u16() {
        200..=299 => Delivery::Accepted(Some(status.as_u16().to_string())),
        429 | 500..=599 => Delivery::Deferred(codes(response).await),
        400 | 402 | 405..=428 | 430..=499 => Delivery::Refused(Some(codes(response).await)),
        _ => Delivery::NotNow(codes(response).await),
    }
}

/// The code of HTTP, and that of the provider if there is one. The rest of what it says may name the recipient.
async fn codes(mut response: Response) -> String {
    let status = response.status().as_u16();
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        read.extend_from_slice(&chunk);
        if read.len() > READ_BYTES_MAX {
            break;
        }
    }
    match serde_json::from_slice::<Refusal>(&read) {
        Ok(refusal) => format!("{status} {}", refusal.code),
        Err(_) => status.to_string(),
    }
}

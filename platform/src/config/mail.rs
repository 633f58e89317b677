//! Section `[mail]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::{base_url_or_none, positive};
use super::list;
use super::list::PAUSES_MAX;

/// The longest time after which a mail can be sent once more: a day, for which mails are of use.
const REPEAT_AFTER_MAX_S: i64 = 86_400;

/// The longest time for which a digest collects: four weeks. After it nobody remembers what it tells of.
const DIGEST_MAX_S: i64 = 28 * 86_400;

/// Where mails go.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub smtp_host: String,
    #[garde(custom(positive))]
    pub smtp_port: u16,
    pub tls: MailTls,
    pub username: String,
    pub password: SecretString,
    #[garde(length(min = 1))]
    pub hello_name: String,
    pub from: String,
    pub locale: String,
    pub return_path: String,
    pub folder: String,
    #[garde(custom(base_url_or_none))]
    pub public_url: String,
    #[garde(range(min = 1, max = 100))]
    pub per_hour_max: u32,
    #[garde(range(min = 1, max = DIGEST_MAX_S))]
    pub digest_s: i64,
    #[garde(range(min = 0, max = REPEAT_AFTER_MAX_S))]
    pub repeat_after_s: i64,
    #[serde(deserialize_with = "list::deserialize")]
    #[garde(length(min = 1, max = PAUSES_MAX))]
    pub retry_pauses_ms: Vec<u32>,
    #[garde(custom(positive))]
    pub dialog_timeout_ms: u64,
    #[garde(custom(positive))]
    pub answer_timeout_ms: u64,
    #[garde(custom(positive))]
    pub quit_timeout_ms: u64,
}

impl Mail {
    /// How long an attempt to send a mail takes at most.
    pub(super) const fn longest_ms(&self) -> u64 {
        let dialog_and_answer = self
            .dialog_timeout_ms
            .saturating_add(self.answer_timeout_ms);
        dialog_and_answer.saturating_add(self.quit_timeout_ms)
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// It begins without encryption, which the server must then offer.
    Starttls,
    /// It is encrypted from the beginning.
    Implicit,
    /// It is never encrypted.
    None,
}

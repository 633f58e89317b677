//! Hands mails to an SMTP server (RFC 5321), step by step, so that it is known how far each came.

use std::time::Duration;

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Code;
use secrecy::ExposeSecret;
use tidemark_platform::config;
use tidemark_platform::config::MailTls;
use tokio::time::timeout;

use super::delivery::Delivery;
use crate::error::with_causes;

/// A server that takes mails.
#[derive(Debug)]
pub(super) struct SmtpServer(config::Mail);

impl SmtpServer {
    /// The server of the configuration.
    pub(super) const fn new(settings: config::Mail) -> Self {
        Self(settings)
    }

    /// Tries once to hand over a mail.
    pub(super) async fn deliver(&self, mail: &Message) -> Delivery {
        let time_limit = Duration::from_millis(self.0.dialog_timeout_ms);
        let mut connection = match timeout(time_limit, self.begin(mail)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(delivery)) => return delivery,
            Err(_) => return Delivery::Unreachable(format!("it takes longer than {time_limit:?}")),
        };
        let time_limit = Duration::from_millis(self.0.answer_timeout_ms);
        let formatted = mail.formatted();
        let delivery = match timeout(time_limit, connection.message(&formatted)).await {
            Ok(Ok(response)) => {
                let said: Vec<_> = response.message().collect();
                Delivery::Accepted(Some(codes(response.code(), &said.join(" "))))
            }
            Ok(Err(error)) if error.status().is_some() => answered(&error),
            Ok(Err(_)) | Err(_) => Delivery::Uncertain,
        };
        // The server has answered for the mail, or not; how it says good-bye changes nothing.
        let _ = timeout(
            Duration::from_millis(self.0.quit_timeout_ms),
            connection.quit(),
        )
        .await;
        delivery
    }

    /// Everything before the mail itself.
    async fn begin(&self, mail: &Message) -> Result<AsyncSmtpConnection, Delivery> {
        // Until then the server speaks of this host, and not of the mail.
        let not_now = |error: Error| match error.status() {
            Some(_) => Delivery::NotNow(without_names(&error)),
            None => Delivery::Unreachable(without_names(&error)),
        };
        let mut connection = self.connect().await.map_err(not_now)?;
        let envelope = mail.envelope();
        let from = Mail::new(envelope.from().cloned(), Vec::new());
        connection.command(from).await.map_err(not_now)?;
        for to in envelope.to() {
            let to = Rcpt::new(to.clone(), Vec::new());
            connection
                .command(to)
                .await
                .map_err(|error| answered(&error))?;
        }
        connection
            .command(Data)
            .await
            .map_err(|error| answered(&error))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let settings = &self.0;
        let server = (settings.smtp_host.as_str(), settings.smtp_port);
        let hello = ClientId::Domain(settings.hello_name.clone());
        let tls = TlsParameters::new(settings.smtp_host.clone())?;
        let implicit = (settings.tls == MailTls::Implicit).then(|| tls.clone());
        let connecting = AsyncSmtpConnection::connect_tokio1(server, None, &hello, implicit, None);
        let mut connection = connecting.await?;
        if settings.tls == MailTls::Starttls {
            connection.starttls(tls, &hello).await?;
        }
        if !settings.username.is_empty() {
            let password = settings.password.expose_secret().to_owned();
            let credentials = Credentials::new(settings.username.clone(), password);
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }
}

/// What an answer to a command about this mail means. Codes of 5yz are final, those of 4yz are not (RFC 5321, section
/// 4.2.1).
fn answered(error: &Error) -> Delivery {
    if error.is_permanent() {
        Delivery::Refused(Some(without_names(error)))
    } else if error.status().is_none() {
        Delivery::Unreachable(without_names(error))
    } else {
        Delivery::Deferred(without_names(error))
    }
}

/// An error, of which nothing is told but codes if it is an answer of a server: these may name the recipient.
fn without_names(error: &Error) -> String {
    let text = with_causes(error);
    error
        .status()
        .map_or_else(|| text.clone(), |code| codes(code, &text))
}

/// The code of SMTP, and the one of RFC 3463 that what was said contains, if there is one.
fn codes(code: Code, said: &str) -> String {
    let is_code = |word: &&str| {
        let numbers: Vec<_> = word.split('.').collect();
        let is_number = |it: &&str| (1..=3).contains(&it.len()) && it.parse::<u16>().is_ok();
        numbers.len() == 3 && numbers.iter().all(is_number)
    };
    match said.split_whitespace().find(is_code) {
        Some(enhanced) => format!("{code} {enhanced}"),
        None => code.to_string(),
    }
}

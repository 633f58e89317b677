//! Registrations, log-ins, refreshes and log-outs.

use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};

use super::Participant;
use crate::load::client::{Command, Outcome};
use crate::load::market::{credentials, registration};

/// A session of the client's buyer, besides the one that the client works with.
#[derive(Debug)]
pub(super) enum Session {
    LoggedOut,
    LoggedIn {
        id: String,
        access_token: String,
        refresh_token: String,
    },
}

impl Participant {
    /// Registers somebody, who is sent a mail.
    pub(super) async fn register_somebody(&mut self) -> Outcome {
        let name = format!("somebody-{}", self.client.shared.market.next_number());
        let body = registration(&credentials(&name));
        let path = "/v1/users".to_owned();
        let command = Command::post(path, "", body, "user.registered", json!({}));
        self.client.execute(command).await
    }

    /// Logs in if nobody is, else refreshes the session or ends it.
    pub(super) async fn log_in_or_out(&mut self) -> Outcome {
        let session = std::mem::replace(&mut self.session, Session::LoggedOut);
        let Session::LoggedIn {
            id,
            access_token,
            refresh_token,
        } = session
        else {
            let body = self.people.buyer.body();
            let path = "/v1/sessions".to_owned();
            let command = Command::post(path, "", body, "session.opened", json!({}));
            return self.open_session(command).await;
        };
        let data = json!({"session_id": id});
        if self.client.rng.random_bool(0.5) {
            let path = "/v1/sessions/refresh".to_owned();
            let body = json!({"refresh_token": refresh_token});
            let command = Command::post(path, "", body, "session.refreshed", data);
            return self.open_session(command).await;
        }
        let path = format!("/v1/sessions/{id}");
        let mut command = Command::post(path, &access_token, Value::Null, "session.ended", data);
        command.method = Method::DELETE;
        self.client.execute(command).await
    }

    /// Sends a command whose answer holds secrets; such commands take no key.
    async fn open_session(&mut self, mut command: Command) -> Outcome {
        command.has_key = false;
        let outcome = self.client.execute(command).await;
        if let Outcome::Accepted(answer) = &outcome {
            let text = |member: &str| answer.body[member].as_str().unwrap().to_owned();
            self.session = Session::LoggedIn {
                id: text("session_id"),
                access_token: text("access_token"),
                refresh_token: text("refresh_token"),
            };
        }
        outcome
    }
}

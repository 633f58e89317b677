//! A client of the public API: it sends a command until its outcome is known, reads with the
//! highest `Tidemark` that it has seen, and writes down both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tidemark_tests::Answer;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::Shared;
use super::market::Credentials;
use super::tally::count;
use crate::journal::{Entry, ExpectedEvent};

/// A little longer than the APIs allow themselves to answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(11);
/// The pause before a command is sent again. It doubles each time.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);
/// For how long a command is sent again.
pub(super) const RETRY_TIME: Duration = Duration::from_mins(2);

/// A client.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    /// The only randomness of the client, from the round's seed.
    pub(super) rng: StdRng,
    http: reqwest::Client,
    /// The highest `Tidemark` that the client has seen.
    tidemark: String,
}

/// A command to be sent.
pub(super) struct Command {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
    /// The access token; empty for none.
    pub(super) token: String,
    /// The version that the stream must have.
    pub(super) if_match: Option<i64>,
    /// Whether it takes an `Idempotency-Key`. Without one it is sent only once.
    pub(super) has_key: bool,
    pub(super) expected: ExpectedEvent,
}

/// What became of a command.
pub(super) enum Outcome {
    Accepted(Answer),
    Refused(Answer),
    Unknown,
}

impl Command {
    /// A POST with a key, which must become this event.
    pub(super) fn post(
        path: String,
        token: &str,
        body: Value,
        event_type: &str,
        data: Value,
    ) -> Self {
        Self {
            method: Method::POST,
            path,
            body,
            token: token.to_owned(),
            if_match: None,
            has_key: true,
            expected: ExpectedEvent {
                event_type: event_type.to_owned(),
                data,
            },
        }
    }
}

impl Client {
    /// A client that has seen nothing yet.
    pub(super) fn new(shared: Arc<Shared>, number: usize, rng: StdRng) -> Self {
        Self {
            shared,
            number,
            rng,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(ANSWER_TIMEOUT)
                .build()
                .unwrap(),
            tidemark: String::new(),
        }
    }

    /// Logs in, and returns the access token. It is empty if the load was stopped meanwhile.
    pub(super) async fn log_in(&mut self, credentials: &Credentials) -> String {
        let body = credentials.body();
        let mut pause = RETRY_PAUSE_MIN;
        while !self.shared.stop.is_cancelled() {
            let urls = &self.shared.command_urls;
            let url = &urls[self.rng.random_range(..urls.len())];
            let request = self.http.post(format!("{url}/v1/sessions")).json(&body);
            match self.send(request, &self.shared.last_accepted).await {
                Some(answer) if answer.is_ok() => {
                    return answer.body["access_token"].as_str().unwrap().to_owned();
                }
                _ => sleep(pause).await,
            }
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
        String::new()
    }

    /// Sends a command until its outcome is known, to one command API after the other.
    pub(super) async fn execute(&mut self, command: Command) -> Outcome {
        let id = Uuid::from_u128(self.rng.random());
        let expected = command.expected.clone();
        self.shared
            .journal
            .write_durably(Entry::Sent { id, expected })
            .await;
        let (started, mut pause, mut unknown_attempts) = (Instant::now(), RETRY_PAUSE_MIN, 0);
        let first: usize = self.rng.random_range(..self.shared.command_urls.len());
        let outcome = loop {
            let urls = &self.shared.command_urls;
            let url = &urls[(first + unknown_attempts) % urls.len()];
            let request = self.request(url, id, &command);
            match self.send(request, &self.shared.last_accepted).await {
                Some(answer) if answer.is_ok() => break Outcome::Accepted(answer),
                Some(answer) if answer.status < 500 => break Outcome::Refused(answer),
                _ => unknown_attempts += 1,
            }
            if !command.has_key || started.elapsed() > RETRY_TIME {
                break Outcome::Unknown;
            }
            if unknown_attempts > 1 {
                count(&self.shared.counters.second_retries);
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        };
        self.record(id, unknown_attempts.try_into().unwrap(), &outcome);
        outcome
    }

    fn request(&self, url: &str, id: Uuid, command: &Command) -> RequestBuilder {
        let url = format!("{url}{}", command.path);
        let mut request = self.http.request(command.method.clone(), url);
        request = request.header("x-correlation-id", id.to_string());
        if command.has_key {
            request = request.header("idempotency-key", id.to_string());
        }
        if !command.token.is_empty() {
            request = request.bearer_auth(&command.token);
        }
        if let Some(version) = command.if_match {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if !command.body.is_null() {
            request = request.json(&command.body);
        }
        request
    }

    fn record(&mut self, id: Uuid, unknown_attempts: u32, outcome: &Outcome) {
        let counters = &self.shared.counters;
        let entry = match outcome {
            Outcome::Accepted(answer) => {
                count(&counters.accepted);
                Entry::Accepted {
                    id,
                    position: position_of(answer.header("tidemark")),
                    unknown_attempts,
                }
            }
            Outcome::Refused(answer) => {
                count(&counters.refused);
                let (status, code) = (answer.status, answer.code().to_owned());
                Entry::Refused { id, status, code }
            }
            Outcome::Unknown => Entry::Unknown { id },
        };
        self.shared.journal.write(entry);
        if let Outcome::Accepted(answer) = outcome {
            self.remember(answer.header("tidemark"));
        }
    }

    fn remember(&mut self, tidemark: &str) {
        if token(tidemark) > token(&self.tidemark) {
            tidemark.clone_into(&mut self.tidemark);
        }
    }

    /// Reads a document, at least as fresh as all that this client has seen. `missing` says what
    /// the document lacks of what the client has written.
    pub(super) async fn read(
        &mut self,
        path: &str,
        token: &str,
        missing: impl FnOnce(&Value) -> Option<String>,
    ) {
        let urls = &self.shared.query_urls;
        let url = &urls[self.rng.random_range(..urls.len())];
        let mut request = self.http.get(format!("{url}{path}")).bearer_auth(token);
        if !self.tidemark.is_empty() {
            request = request.header("tidemark", &self.tidemark);
        }
        let at_least = position_of(&self.tidemark);
        let sent = Instant::now();
        let answer = self.send(request, &self.shared.last_answered).await;
        if matches!(&answer, Some(answer) if answer.code() == "other_timeline") {
            // The log has lost what the client has seen, so it begins anew.
            self.tidemark.clear();
            return;
        }
        let counters = &self.shared.counters;
        let Some(answer) = answer.filter(|answer| answer.is_ok() || answer.status == 404) else {
            count(&counters.failed_reads);
            return;
        };
        count(&counters.reads);
        let latency = sent.elapsed();
        self.shared.query_latencies.lock().unwrap().push(latency);
        let tidemark = answer.header("tidemark").to_owned();
        let (position, missing) = if answer.is_ok() {
            let missing = missing(&answer.body).map(|what| format!("{path}: {what}"));
            (position_of(&tidemark), missing)
        } else {
            // A 404 names no position.
            (at_least, Some(format!("{path} was not found")))
        };
        self.shared.journal.write(Entry::Read {
            client: self.number,
            at_least,
            position,
            missing,
        });
        self.remember(&tidemark);
    }

    /// Sends a request once, and notes in `latest` when, if it is answered 2xx. Returns nothing if
    /// no answer came.
    async fn send(
        &self,
        request: RequestBuilder,
        latest: &watch::Sender<Instant>,
    ) -> Option<Answer> {
        let sent = Instant::now();
        let answer = Answer::try_to(request).await;
        let counters = &self.shared.counters;
        let Ok(answer) = answer else {
            count(&counters.unanswered);
            return None;
        };
        if answer.is_ok() {
            latest.send_if_modified(|latest| {
                *latest = sent.max(*latest);
                true
            });
        }
        if answer.status >= 500 {
            let is_unavailable = answer.status == 503;
            count(if is_unavailable {
                &counters.unavailable
            } else {
                &counters.other_errors
            });
            self.shared.note_server_error(&answer);
        }
        Some(answer)
    }
}

/// The timeline and the position that a `Tidemark` names; 0 if there is none.
fn token(tidemark: &str) -> (i32, i64) {
    let token = tidemark.split_once('.');
    token.map_or((0, 0), |(timeline, position)| {
        (timeline.parse().unwrap(), position.parse().unwrap())
    })
}

/// The position that a `Tidemark` names; 0 if there is none.
fn position_of(tidemark: &str) -> i64 {
    token(tidemark).1
}

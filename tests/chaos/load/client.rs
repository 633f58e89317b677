//! One client: sends a command until its outcome is known, and reads with what it has seen.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tidemark_tests::Answer;
use tokio::sync::watch;
use tokio::time::sleep;
use uuid::Uuid;

use super::actions::{Guest, Keeper};
use super::market::{People, Person, credentials};
use super::trade::Trade;
use super::{PACE, Shared};
use crate::journal::{Expected, Line};

/// A little longer than the APIs allow themselves.
const ANSWER: Duration = Duration::from_secs(11);
/// Pause before a command is sent again; doubles each time.
const AGAIN_MIN: Duration = Duration::from_millis(20);
const AGAIN_MAX: Duration = Duration::from_millis(500);
/// For how long it is sent again.
const GIVE_UP: Duration = Duration::from_mins(2);

/// A client.
pub(super) struct Client {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    pub(super) rng: StdRng,
    pub(super) people: People,
    http: reqwest::Client,
    /// Access tokens of its two users.
    pub(super) owner: String,
    pub(super) buyer: String,
    /// The highest `Tidemark` that it has seen.
    seen: String,
    pub(super) keeper: Keeper,
    pub(super) trade: Trade,
    pub(super) guest: Guest,
}

/// A command.
pub(super) struct Order {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Value,
    /// The access token; empty for none.
    pub(super) token: String,
    pub(super) if_match: Option<i64>,
    /// Whether it takes an `Idempotency-Key`. Without one it is sent only once.
    pub(super) keyed: bool,
    pub(super) expect: Expected,
}

/// What became of it.
pub(super) enum Told {
    Ok(Answer),
    Refused(Answer),
    Unknown,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, number: usize, people: People, rng: StdRng) -> Self {
        Self {
            shared,
            number,
            rng,
            people,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(ANSWER)
                .build()
                .unwrap(),
            owner: String::new(),
            buyer: String::new(),
            seen: String::new(),
            keeper: Keeper::default(),
            trade: Trade::Nothing,
            guest: Guest::Away,
        }
    }

    /// Works until it is told to stop, and then finishes what it has begun.
    pub(super) async fn work(mut self) {
        self.log_in().await;
        let mut next = Instant::now();
        while !self.shared.stop.is_cancelled() {
            self.act().await;
            next += PACE;
            // What an outage kept from being sent is not made up for.
            next = next.max(Instant::now().checked_sub(PACE).unwrap_or(next));
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
    }

    /// New access tokens for its two users.
    pub(super) async fn log_in(&mut self) {
        self.owner = self.token_of(&self.people.owner.clone()).await;
        self.buyer = self.token_of(&self.people.buyer.clone()).await;
        self.shared.market.know(self.number, &self.buyer);
    }

    async fn token_of(&mut self, person: &Person) -> String {
        let body = credentials(person);
        let mut pause = AGAIN_MIN;
        while !self.shared.stop.is_cancelled() {
            let url = self.any_api();
            let request = self.http.post(format!("{url}/v1/sessions")).json(&body);
            match self.send(request, &self.shared.accepted).await {
                Some(answer) if answer.is_ok() => {
                    return answer.body["access_token"].as_str().unwrap().to_owned();
                }
                _ => sleep(pause).await,
            }
            pause = (pause * 2).min(AGAIN_MAX);
        }
        String::new()
    }

    fn any_api(&mut self) -> String {
        let urls = &self.shared.command_urls;
        urls[self.rng.random_range(..urls.len())].clone()
    }

    /// Sends a command until its outcome is known.
    pub(super) async fn command(&mut self, order: Order) -> Told {
        // By the time, and unlike all others.
        let id = Uuid::from_u128(self.rng.random());
        let expect = order.expect.clone();
        self.shared
            .journal
            .record(Line::Invoke { id, expect })
            .await;
        let (begun, mut pause, mut unknown) = (Instant::now(), AGAIN_MIN, 0);
        let first: usize = self.rng.random_range(..self.shared.command_urls.len());
        let told = loop {
            let urls = &self.shared.command_urls;
            let url = urls[(first + unknown) % urls.len()].clone();
            let request = self.request(&url, id, &order);
            match self.send(request, &self.shared.accepted).await {
                Some(answer) if answer.is_ok() => break Told::Ok(answer),
                Some(answer) if answer.status < 500 => break Told::Refused(answer),
                _ => unknown += 1,
            }
            if !order.keyed || begun.elapsed() > GIVE_UP {
                break Told::Unknown;
            }
            if unknown > 1 {
                count(&self.shared.tally.insisted);
            }
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN_MAX);
        };
        self.note(id, unknown.try_into().unwrap(), &told);
        told
    }

    fn request(&self, url: &str, id: Uuid, order: &Order) -> RequestBuilder {
        let url = format!("{url}{}", order.path);
        let mut request = self.http.request(order.method.clone(), url);
        request = request.header("x-correlation-id", id.to_string());
        if order.keyed {
            request = request.header("idempotency-key", id.to_string());
        }
        if !order.token.is_empty() {
            request = request.bearer_auth(&order.token);
        }
        if let Some(version) = order.if_match {
            request = request.header("if-match", format!("\"{version}\""));
        }
        if !order.body.is_null() {
            request = request.json(&order.body);
        }
        request
    }

    fn note(&mut self, id: Uuid, unknown: u32, told: &Told) {
        let tally = &self.shared.tally;
        let line = match told {
            Told::Ok(answer) => {
                count(&tally.accepted);
                let position = position_of(answer.header("tidemark"));
                Line::Ok {
                    id,
                    position,
                    unknown,
                }
            }
            Told::Refused(answer) => {
                count(&tally.refused);
                let (status, code) = (answer.status, answer.code().to_owned());
                Line::Refused { id, status, code }
            }
            Told::Unknown => Line::Unknown { id },
        };
        self.shared.journal.note(line);
        if let Told::Ok(answer) = told {
            self.see(answer.header("tidemark").to_owned());
        }
    }

    fn see(&mut self, tidemark: String) {
        if position_of(&tidemark) > position_of(&self.seen) {
            self.seen = tidemark;
        }
    }

    /// Reads a document as new as all that this client has seen, and looks whether it is.
    pub(super) async fn read(
        &mut self,
        path: &str,
        token: &str,
        lacks: impl FnOnce(&Value) -> Option<String>,
    ) {
        let urls = &self.shared.query_urls;
        let url = &urls[self.rng.random_range(..urls.len())];
        let mut request = self.http.get(format!("{url}{path}")).bearer_auth(token);
        if !self.seen.is_empty() {
            request = request.header("tidemark", &self.seen);
        }
        let at_least = position_of(&self.seen);
        let sent = Instant::now();
        let answer = self.send(request, &self.shared.answered).await;
        let tally = &self.shared.tally;
        let Some(answer) = answer.filter(|answer| answer.is_ok() || answer.status == 404) else {
            count(&tally.failed_reads);
            return;
        };
        count(&tally.reads);
        self.shared.latencies.lock().unwrap().push(sent.elapsed());
        let missing = if answer.is_ok() {
            lacks(&answer.body).map(|what| format!("{path}: {what}"))
        } else {
            Some(format!("{path} was not found"))
        };
        let tidemark = answer.header("tidemark").to_owned();
        self.shared.journal.note(Line::Read {
            client: self.number,
            at_least,
            // What is not there reflects no position.
            position: if answer.is_ok() {
                position_of(&tidemark)
            } else {
                at_least
            },
            missing,
        });
        self.see(tidemark);
    }

    /// One attempt; nothing, if no answer came.
    async fn send(
        &self,
        request: RequestBuilder,
        latest: &watch::Sender<Instant>,
    ) -> Option<Answer> {
        let sent = Instant::now();
        let answer = Answer::try_to(request).await;
        let tally = &self.shared.tally;
        let Ok(answer) = answer else {
            count(&tally.unknown);
            return None;
        };
        if answer.is_ok() {
            latest.send_if_modified(|latest| {
                *latest = sent.max(*latest);
                true
            });
        }
        if answer.status >= 500 {
            let is_shed = answer.status == 503;
            count(if is_shed {
                &tally.unavailable
            } else {
                &tally.errors
            });
            self.shared.journal.note(Line::Error {
                at_ms: self.shared.now_ms(),
                status: answer.status,
                code: answer.code().to_owned(),
                retry_after: !answer.header("retry-after").is_empty(),
            });
        }
        Some(answer)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// The position that a `Tidemark` names; 0 if there is none.
fn position_of(tidemark: &str) -> i64 {
    let position = tidemark.split_once('.').map(|(_, position)| position);
    position.map_or(0, |position| position.parse().unwrap())
}

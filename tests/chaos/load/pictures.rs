//! A seller who uploads one picture after another.

use std::ops::Sub;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::ImageFormat;
use reqwest::RequestBuilder;
use tidemark_platform::ids::new_id;
use tidemark_tests::Answer;
use tidemark_tests::pictures::{UPLOADS, picture};
use tokio::time::sleep;

use super::Shared;
use super::client::{ANSWER_TIMEOUT, RETRY_TIME};
use super::market::{Credentials, RETRY_PAUSE};
use crate::journal::Entry;

/// The time from one picture to the next.
const PAUSE: Duration = Duration::from_millis(500);

/// How often uploads were answered what.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Uploads {
    pub(crate) accepted: u64,
    /// Attempts that were answered 503.
    pub(crate) unavailable: u64,
    /// Attempts that were answered 507.
    pub(crate) full: u64,
}

impl Sub for Uploads {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            accepted: self.accepted - earlier.accepted,
            unavailable: self.unavailable - earlier.unavailable,
            full: self.full - earlier.full,
        }
    }
}

/// The seller.
pub(super) struct Uploader {
    shared: Arc<Shared>,
    seller: Credentials,
    http: reqwest::Client,
    /// Empty until the first log-in.
    token: String,
}

impl Uploader {
    /// A seller who has uploaded nothing yet.
    pub(super) fn new(shared: Arc<Shared>, seller: Credentials) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(ANSWER_TIMEOUT);
        Self {
            shared,
            seller,
            http: http.build().unwrap(),
            token: String::new(),
        }
    }

    /// Uploads pictures until the load stops.
    pub(super) async fn work(mut self) {
        let stop = self.shared.stop.clone();
        let mut number = 0;
        while stop.run_until_cancelled(sleep(PAUSE)).await.is_some() {
            self.upload(picture(16 + number % 256, 16, ImageFormat::Png))
                .await;
            number += 1;
        }
    }

    /// Uploads a file to one command API after the other until it is stored, all with the same key.
    async fn upload(&mut self, file: Vec<u8>) {
        let (key, began) = (new_id().to_string(), Instant::now());
        let shared = Arc::clone(&self.shared);
        for url in shared.command_urls.iter().cycle() {
            if began.elapsed() > RETRY_TIME {
                return;
            }
            let request = self.http.post(format!("{url}{UPLOADS}")).body(file.clone());
            let request = request
                .bearer_auth(&self.token)
                .header("idempotency-key", &key)
                .header("content-type", "image/png");
            match self.answer(request).await {
                Some(answer) if answer.is_ok() => {
                    let media = answer.id();
                    shared.journal.write(Entry::Uploaded { media });
                    shared.uploads.send_modify(|it| it.accepted += 1);
                    return;
                }
                Some(answer) if answer.status == 401 => self.log_in(url).await,
                _ => sleep(RETRY_PAUSE).await,
            }
        }
    }

    async fn log_in(&mut self, url: &str) {
        let request = self.http.post(format!("{url}/v1/sessions"));
        let answer = self.answer(request.json(&self.seller.body())).await;
        match answer.filter(Answer::is_ok) {
            Some(session) => session.body["access_token"]
                .as_str()
                .unwrap()
                .clone_into(&mut self.token),
            None => sleep(RETRY_PAUSE).await,
        }
    }

    /// The answer to a request, if there is one. What is refused because of the store is counted.
    async fn answer(&self, request: RequestBuilder) -> Option<Answer> {
        let answer = Answer::try_to(request).await.ok()?;
        match answer.status {
            503 => self.shared.uploads.send_modify(|it| it.unavailable += 1),
            507 => self.shared.uploads.send_modify(|it| it.full += 1),
            _ => {}
        }
        if answer.status >= 500 && answer.status != 507 {
            self.shared.note_server_error(&answer);
        }
        Some(answer)
    }
}

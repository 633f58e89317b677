//! The metrics as text, which is written at most once in a while. There are thousands of lines: to write them for each
//! request would take time of the threads that serve everybody, from whoever asks often.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use crate::http::Problem;
use crate::{config, telemetry};

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text that was written last.
#[derive(Clone)]
pub(super) struct KeptMetrics {
    last: Arc<Mutex<Option<Written>>>,
    age_max: Duration,
}

struct Written {
    at: Instant,
    text: Bytes,
}

impl KeptMetrics {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            last: Arc::default(),
            age_max: Duration::from_millis(http.metrics_age_max_ms),
        }
    }

    /// The text, which others wait for while it is written.
    async fn text(&self) -> Result<Bytes, Problem> {
        let mut last = self.last.lock().await;
        if let Some(written) = last.as_ref().filter(|it| it.at.elapsed() < self.age_max) {
            return Ok(written.text.clone());
        }
        let at = Instant::now();
        let text = spawn_blocking(telemetry::render).await;
        let text = Bytes::from(text.map_err(Problem::internal)?);
        let text = last.insert(Written { at, text }).text.clone();
        Ok(text)
    }
}

pub(super) async fn metrics(State(kept): State<KeptMetrics>) -> Result<impl IntoResponse, Problem> {
    Ok(([(CONTENT_TYPE, PROMETHEUS_TEXT)], kept.text().await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config_with;

    #[tokio::test]
    async fn metrics_are_written_once_in_a_while_however_often_they_are_asked_for() {
        for (age, is_kept) in [("3600000", true), ("0", false)] {
            let config = config_with(&[("TIDEMARK_HTTP__METRICS_AGE_MAX_MS", age)]);
            let kept = KeptMetrics::new(&config.http);
            let written = async || {
                kept.text().await.unwrap();
                kept.last.lock().await.as_ref().unwrap().at
            };
            assert_eq!(written().await == written().await, is_kept, "{age} ms");
        }
    }
}

//! What becomes of an action after an attempt at it.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;

use super::Sender;
use crate::reacting::answer::Verdict;
use crate::reacting::attempts;
use crate::reacting::attempts::Attempt;

impl Sender {
    /// Records what an attempt has come to, and logs it.
    pub(super) async fn record(
        &self,
        attempt: &Attempt,
        verdict: Verdict,
    ) -> Result<(), Arc<sqlx::Error>> {
        let Attempt {
            reactor,
            position,
            target,
            number,
            late_s,
            ..
        } = attempt;
        let retry_min = Duration::from_millis(self.settings.retry_min_ms);
        let retry_max = Duration::from_millis(self.settings.retry_max_ms);
        let outcome = match verdict {
            Verdict::Done => {
                tracing::info!(
                    reactor,
                    position,
                    target,
                    attempt = number,
                    late_s,
                    "action done"
                );
                self.endings.end(attempt, "done").await?;
                "done"
            }
            Verdict::Refused(refusal) => {
                tracing::info!(
                    reactor,
                    position,
                    target,
                    attempt = number,
                    refusal,
                    "action given up"
                );
                self.endings.end(attempt, &refusal).await?;
                "refused"
            }
            Verdict::NotYet(at) => {
                tracing::info!(reactor, position, target, attempt = number, %at, "action not due yet");
                attempts::put_off(&self.pool, attempt, at, retry_min, "not yet").await?;
                "not_yet"
            }
            Verdict::Elsewhere(destination) => {
                tracing::info!(
                    reactor,
                    position,
                    target,
                    destination,
                    "action is done elsewhere"
                );
                attempts::redirect(&self.pool, attempt, &destination).await?;
                "elsewhere"
            }
            Verdict::Inconclusive(reason) => {
                tell_failure(attempt, &reason);
                let retry = (retry_min, retry_max);
                attempts::back_off(&self.pool, attempt, retry, &reason).await?;
                "inconclusive"
            }
            Verdict::Later(after, reason) => {
                tell_failure(attempt, &reason);
                attempts::pause(&self.pool, attempt, after, &reason).await?;
                "later"
            }
        };
        counter!("tidemark_reactor_answers_total", "reactor" => reactor.clone(), "outcome" => outcome)
            .increment(1);
        Ok(())
    }
}

/// Tells operators why an action is tried again.
fn tell_failure(attempt: &Attempt, reason: &str) {
    let Attempt {
        reactor,
        position,
        target,
        number,
        ..
    } = attempt;
    tracing::warn!(
        reactor,
        position,
        target,
        attempt = number,
        reason,
        "action is tried again"
    );
}

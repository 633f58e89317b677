//! What mails and texts have in common while they are sent: what an attempt comes to, and what follows from it.

use std::path::PathBuf;
use std::time::Duration;

use metrics::counter;
use serde_json::json;
use tidemark_domain::messaging::bounce::Bounce;
use tidemark_event_store::{Log, SubjectKeys};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::{Outcome as Ending, Status};
use tidemark_events::{MessageId, Sealed, Timestamp};

use crate::error::with_causes;
use crate::reacting::effects::{Contact, Outcome, Performed, pause_after};

/// What became of a message.
#[derive(Debug)]
pub(super) enum Delivery {
    /// It was taken. If a server did, these are the codes of its answer.
    Accepted(Option<String>),
    /// It was refused for good. If a server did, these are the codes of its answer.
    Refused(Option<String>),
    /// All of it was sent, and no answer came.
    Uncertain,
    /// The server did not take it for this recipient now. These are the codes of its answer.
    Deferred(String),
    /// The server takes no messages now, for this reason.
    NotNow(String),
    /// The server did not answer, for this reason. It has not got it.
    Unreachable(String),
}

/// Why no attempt was made.
pub(super) enum Unsent {
    Expired,
    Erased,
    /// The number is not the user's any more, or was stated anew.
    Withdrawn,
    Failed(String),
}

impl Unsent {
    /// It failed for this reason, which may pass.
    pub(super) fn failed(error: &dyn std::error::Error) -> Self {
        Self::Failed(with_causes(error))
    }
}

/// An attempt to send a message.
pub(super) struct Attempt<'a> {
    pub(super) log: &'a Log,
    /// By which channel.
    pub(super) channel: Channel,
    pub(super) message_id: MessageId,
    /// After this time the message is of no use.
    pub(super) not_after: Timestamp,
    /// Its number, from 1 on.
    pub(super) number: i32,
    /// The shortest pauses after the first attempts. The last of them follows all later ones.
    pub(super) pauses_ms: &'a [u32],
}

impl Attempt<'_> {
    /// For how long the message is of use from now on.
    pub(super) async fn time_left(&self) -> Result<Duration, Unsent> {
        let now = self.log.now().await;
        let now = now.map_err(|error| Unsent::failed(&error))?;
        let left = self.not_after - now;
        left.to_std().map_err(|_| Unsent::Expired)
    }

    /// What follows from what became of it.
    pub(super) async fn performed(&self, delivery: Result<Delivery, Unsent>) -> Performed {
        let contact = delivery.as_ref().ok().map(|it| match it {
            Delivery::Uncertain | Delivery::Unreachable(_) => Contact::Unreachable,
            Delivery::Accepted(_)
            | Delivery::Refused(_)
            | Delivery::Deferred(_)
            | Delivery::NotNow(_) => Contact::Answered,
        });
        if let Ok(Delivery::Refused(Some(status))) = &delivery {
            self.count_refusal(status);
        }
        let over = |ending: Ending, status: Option<String>| Outcome::Over {
            path: format!("/v1/messages/{}/end", self.message_id),
            body: Some(json!({"outcome": ending, "status": status})),
        };
        let outcome = match delivery {
            Ok(Delivery::Accepted(status)) => over(Ending::Accepted, status),
            Ok(Delivery::Refused(status)) => over(Ending::Bounced, status),
            Ok(Delivery::Deferred(status)) if self.is_last().await => {
                over(Ending::Expired, Some(status))
            }
            Ok(Delivery::Uncertain) => over(Ending::Uncertain, None),
            Err(Unsent::Expired) => over(Ending::Expired, None),
            Err(Unsent::Erased) => over(Ending::RecipientErased, None),
            Err(Unsent::Withdrawn) => over(Ending::NumberWithdrawn, None),
            Ok(
                Delivery::Deferred(reason)
                | Delivery::NotNow(reason)
                | Delivery::Unreachable(reason),
            )
            | Err(Unsent::Failed(reason)) => Outcome::Later {
                after: self.pause(),
                reason,
            },
        };
        Performed { outcome, contact }
    }

    /// Counts a message that was refused for a reason that is not the recipient's: more than one will be.
    fn count_refusal(&self, status: &str) {
        let status = Status::try_from(status.to_owned());
        if status.is_ok_and(|it| Bounce::of(self.channel, &it) == Bounce::Policy) {
            match self.channel {
                Channel::Mail => counter!("tidemark_mails_refused_by_policy_total"),
                Channel::Sms => counter!("tidemark_texts_refused_by_policy_total"),
            }
            .increment(1);
        }
    }

    /// Whether the message is of no use any more when it would be tried again. Then what the server says now is the last that is
    /// known of it.
    async fn is_last(&self) -> bool {
        let now = self.log.now().await;
        now.is_ok_and(|now| now + self.pause() > self.not_after)
    }

    fn pause(&self) -> Duration {
        pause(self.message_id, self.number, self.pauses_ms)
    }
}

/// The value of a field of a message.
pub(super) async fn unseal(
    keys: &SubjectKeys,
    field: &str,
    sealed: &Sealed,
) -> Result<String, Unsent> {
    match keys.unseal(field, sealed).await {
        Ok(Some(value)) => Ok(value),
        Ok(None) => Err(Unsent::Erased),
        Err(error) => Err(Unsent::failed(&error)),
    }
}

/// Writes a message as a file, under another name until it is whole.
pub(super) async fn put(content: &[u8], file: PathBuf) -> Result<Delivery, Unsent> {
    let putting = async {
        if let Some(folder) = file.parent() {
            tokio::fs::create_dir_all(folder).await?;
        }
        let partial = file.with_extension("partial");
        tokio::fs::write(&partial, content).await?;
        tokio::fs::rename(partial, file).await
    };
    let put = putting.await;
    put.map_err(|error| Unsent::failed(&error))?;
    Ok(Delivery::Accepted(None))
}

/// The pause after the attempt with this number. It is up to a fifth longer than the shortest one, so that messages that failed together
/// are not tried together.
fn pause(message_id: MessageId, attempt: i32, pauses_ms: &[u32]) -> Duration {
    // The end of an id is random.
    let [.., last] = *message_id.0.as_bytes();
    let percent = (u32::from(last) + 7 * (attempt.unsigned_abs() % 21)) % 21;
    pause_after(attempt, pauses_ms) * (100 + percent) / 100
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_pause_is_at_least_as_long_as_is_said_and_up_to_a_fifth_longer() {
        let ids = (0..=255).map(|last| MessageId(Uuid::from_u128(last)));
        let ids: Vec<_> = ids.collect();
        let pauses_ms = [60_000, 300_000, 900_000];
        for (attempt, minutes) in [(1, 1), (2, 5), (3, 15), (4, 15), (i32::MAX, 15)] {
            let shortest = Duration::from_secs(60 * minutes);
            let pauses = ids.iter().map(|id| pause(*id, attempt, &pauses_ms));
            let pauses: BTreeSet<_> = pauses.collect();
            assert_eq!(pauses.first(), Some(&shortest), "{attempt}");
            assert_eq!(pauses.last(), Some(&(shortest * 6 / 5)), "{attempt}");
            assert_eq!(pauses.len(), 21, "{attempt}");
        }
    }
}

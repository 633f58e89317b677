//! Effects: what reactors have done outside, such as sending a mail. Each is a file, and a line in the list of those that
//! the configuration allows. What an effect has done is put on record by a command.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Something that is done outside, at least once: after a crash it is done again with the same body.
#[async_trait]
pub(crate) trait Effect: Send + Sync + 'static {
    /// The name that actions have, for ever.
    const NAME: &'static str;
    /// What it is done with.
    type Body: DeserializeOwned + Send;

    /// Tries to do it at the destination that the action names, for the attempt with this number, from 1 on.
    async fn perform(&self, body: Self::Body, destination: &str, attempt: i32) -> Performed;
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Performed {
    pub(crate) outcome: Outcome,
    /// What it showed of the destination; none if that was not called.
    pub(crate) contact: Option<Contact>,
}

/// What a call shows of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It answered, whatever it said.
    Answered,
    /// It was reached, and gave no answer, or none but that it has too much to do. What this user asked for may be the
    /// reason, so only this user leaves it alone for a while; all do if there is no user.
    Unanswered,
    /// It could not be reached, whatever it was asked for. All leave it alone for a while.
    Unreachable,
}

/// What is to be done after an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The effect is over, whether it succeeded or not. This command puts on record what came of it.
    Over {
        /// The path of the command.
        path: String,
        /// The body of the command; none if it takes none.
        body: Option<Value>,
    },
    /// It was not done, and is to be tried again after this time, and not earlier.
    Later {
        /// From now on.
        after: Duration,
        /// Why, for operators.
        reason: String,
    },
    /// It was not done, since something of Tidemark failed, such as Postgres. It is tried again as any action that fails.
    Failed(String),
    /// It was not done, since it acts at this destination by now. It is tried there at once, within the bounds of that one.
    Elsewhere(String),
    /// It was not done, and need not be any more. Nothing is recorded.
    NotNeeded,
}

/// The pause after the attempt with this number. The last of the pauses follows all later attempts.
pub(crate) fn pause_after(attempt: i32, pauses_ms: &[u32]) -> Duration {
    let nth = usize::try_from(attempt - 1).unwrap_or(0);
    let pause = pauses_ms.get(nth).or(pauses_ms.last());
    Duration::from_millis(pause.copied().unwrap_or_default().into())
}

/// An [`Effect`] of any kind.
#[async_trait]
pub(crate) trait AnyEffect: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Tries to do it at this destination.
    ///
    /// # Errors
    /// If this build cannot read the body.
    async fn perform(
        &self,
        body: Value,
        destination: &str,
        attempt: i32,
    ) -> serde_json::Result<Performed>;
}

#[async_trait]
impl<E: Effect> AnyEffect for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    async fn perform(
        &self,
        body: Value,
        destination: &str,
        attempt: i32,
    ) -> serde_json::Result<Performed> {
        let body = serde_json::from_value(body)?;
        Ok(Effect::perform(self, body, destination, attempt).await)
    }
}

/// The effects that a process performs.
pub(crate) type Effects = Vec<Arc<dyn AnyEffect>>;

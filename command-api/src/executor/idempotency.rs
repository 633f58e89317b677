//! Makes a command with an `Idempotency-Key` act once, however often it is sent.
//!
//! Requests with the same key that meet in one process share one answer. For all others the append looks:
//! it finds the idempotency record of a command that was accepted before, by whatever process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use tidemark_event_store::{IdempotencyRecord, RecordId};
use tidemark_events::SessionId;
use tokio::sync::oneshot;

use super::submission::{Accepted, Answer, Idempotency};
use crate::error::Error;

/// The commands with an `Idempotency-Key` that this process is executing.
#[derive(Clone, Default)]
pub(super) struct KeysInFlight(Arc<Mutex<HashMap<RecordId, InFlight>>>);

struct InFlight {
    request_hash: Vec<u8>,
    session: Option<SessionId>,
    /// Other requests with the same key, which wait for the answer.
    waiting: Vec<oneshot::Sender<Answer>>,
}

/// What a request with a key has to do.
pub(super) enum Turn {
    /// To execute its command.
    First(KeyInFlight),
    /// To wait for the answer to the same request, which came before.
    Later(Earlier),
}

/// The same request, which came before and is being executed.
pub(super) struct Earlier {
    answer: oneshot::Receiver<Answer>,
    /// Whether it was sent in the same session.
    is_of_session: bool,
}

impl Earlier {
    /// Waits for the answer. None if it is a refusal in another session, which may be about that session: then the request
    /// has to be executed for itself.
    pub(super) async fn answer(self) -> Option<Answer> {
        let answer = self.answer.await.unwrap_or(Err(Error::ShuttingDown));
        let is_for_both = self.is_of_session || !matches!(answer, Err(Error::Refused(_)));
        is_for_both.then_some(answer)
    }
}

/// The key of a command that is being executed. If it is dropped unanswered, those who wait are given no answer.
pub(super) struct KeyInFlight {
    /// None once it is answered: then the key may be that of another command already.
    keys: Option<KeysInFlight>,
    id: RecordId,
}

impl KeysInFlight {
    /// Whether a request, which was sent in this session, is the first with its key that this process is executing.
    ///
    /// # Errors
    /// If another request is being executed under the key.
    pub(super) fn begin(
        &self,
        sent: &Idempotency,
        session: Option<SessionId>,
    ) -> Result<Turn, Error> {
        let mut commands = self.lock();
        match commands.entry(sent.id) {
            Entry::Occupied(command) if command.get().request_hash != sent.request_hash => {
                Err(Error::IdempotencyKeyReused)
            }
            Entry::Occupied(mut command) => {
                let (sender, answer) = oneshot::channel();
                let is_of_session = command.get().session == session;
                let waiting = &mut command.get_mut().waiting;
                // Those who have gone away leave their places, however often they come again.
                waiting.retain(|it| !it.is_closed());
                waiting.push(sender);
                Ok(Turn::Later(Earlier {
                    answer,
                    is_of_session,
                }))
            }
            Entry::Vacant(place) => {
                place.insert(InFlight {
                    request_hash: sent.request_hash.clone(),
                    session,
                    waiting: Vec::new(),
                });
                Ok(Turn::First(KeyInFlight {
                    keys: Some(self.clone()),
                    id: sent.id,
                }))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, InFlight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyInFlight {
    /// Answers those who wait.
    pub(super) fn answer(mut self, answer: &Answer) {
        for waiting in self.end() {
            // The client may have disconnected.
            let _ = waiting.send(answer.clone());
        }
    }

    /// Frees the key, once, and returns who waits.
    fn end(&mut self) -> Vec<oneshot::Sender<Answer>> {
        let keys = self.keys.take();
        let command = keys.and_then(|keys| keys.lock().remove(&self.id));
        command.map_or_else(Vec::new, |command| command.waiting)
    }
}

impl Drop for KeyInFlight {
    fn drop(&mut self) {
        self.end();
    }
}

/// The answer to a command that was accepted before, built from its record.
pub(super) fn replayed_answer(
    record: &IdempotencyRecord,
    idempotency: &Idempotency,
    timeline: i32,
) -> Answer {
    if record.request_hash != idempotency.request_hash {
        return Err(Error::IdempotencyKeyReused);
    }
    let status = u16::try_from(record.status).ok();
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    Ok(Accepted {
        status: status.unwrap_or(StatusCode::OK),
        stream_id: record.stream_id,
        version: record.version,
        timeline,
        position: record.position,
        events: Arc::default(),
        replayed: true,
    })
}

#[cfg(test)]
mod tests {
    use tidemark_domain::identity::session;
    use tokio::sync::oneshot::error::TryRecvError;
    use uuid::Uuid;

    use super::*;

    fn request(hash: u8) -> Idempotency {
        Idempotency {
            id: RecordId(Uuid::nil()),
            service_key: None,
            request_hash: vec![hash],
        }
    }

    fn first(keys: &KeysInFlight) -> KeyInFlight {
        match keys.begin(&request(1), None) {
            Ok(Turn::First(key)) => key,
            Ok(Turn::Later(_)) => panic!("the key is in flight"),
            Err(error) => panic!("{error}"),
        }
    }

    fn later(keys: &KeysInFlight) -> oneshot::Receiver<Answer> {
        match keys.begin(&request(1), None) {
            Ok(Turn::Later(earlier)) => earlier.answer,
            Ok(Turn::First(_)) => panic!("the key is not in flight"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn all_with_one_key_are_given_one_answer_and_then_the_key_is_free() {
        let keys = KeysInFlight::default();
        let key = first(&keys);
        let mut waiting = [later(&keys), later(&keys)];
        assert!(matches!(
            keys.begin(&request(2), None),
            Err(Error::IdempotencyKeyReused)
        ));
        key.answer(&Err(Error::Contended));
        for answer in &mut waiting {
            assert!(matches!(answer.try_recv(), Ok(Err(Error::Contended))));
        }
        let unanswered = first(&keys);
        let mut waiting = later(&keys);
        drop(unanswered);
        assert!(
            waiting
                .try_recv()
                .is_err_and(|error| error == TryRecvError::Closed)
        );
        first(&keys);
    }

    #[tokio::test]
    async fn a_refusal_in_one_session_is_no_answer_in_another() {
        let [own, other] = [1, 2].map(|id| Some(SessionId(Uuid::from_u128(id))));
        let refused = || Err(Error::Refused(session::Error::InvalidGrant.into()));
        for (answer, session, is_answered) in [
            (refused(), own, true),
            (refused(), other, false),
            (Err(Error::Contended), other, true),
        ] {
            let keys = KeysInFlight::default();
            let Ok(Turn::First(key)) = keys.begin(&request(1), own) else {
                panic!("the key is in flight");
            };
            let Ok(Turn::Later(earlier)) = keys.begin(&request(1), session) else {
                panic!("the key is not in flight");
            };
            key.answer(&answer);
            assert_eq!(earlier.answer().await.is_some(), is_answered);
        }
    }

    #[test]
    fn who_is_answered_leaves_the_key_of_the_next_alone() {
        let keys = KeysInFlight::default();
        let mut answered = first(&keys);
        // What answering does first.
        answered.end();
        let _next = first(&keys);
        drop(answered);
        later(&keys);
    }

    #[test]
    fn who_has_gone_away_keeps_no_place() {
        let keys = KeysInFlight::default();
        let _key = first(&keys);
        for _ in 0..100 {
            later(&keys);
        }
        assert_eq!(keys.lock()[&request(1).id].waiting.len(), 1);
    }
}

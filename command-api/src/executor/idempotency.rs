//! Makes a command with an `Idempotency-Key` act once, however often it is sent.
//!
//! Requests with the same key that meet in one process share one answer. For all others the append looks:
//! it finds the idempotency record of a command that was accepted before, by whatever process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tidemark_event_store::{IdempotencyRecord, RecordId};

use super::submission::{Accepted, Answer, Idempotency};
use crate::admission::Permit;
use crate::error::Error;

/// The commands with an `Idempotency-Key` that this process is executing.
#[derive(Clone, Default)]
pub(super) struct KeysInFlight(Arc<Mutex<HashMap<RecordId, InFlight>>>);

type SharedAnswer = Shared<BoxFuture<'static, Answer>>;

struct InFlight {
    request_hash: Vec<u8>,
    answer: SharedAnswer,
}

impl KeysInFlight {
    /// Calls `execute` with the permit, unless a command with the same key is being executed: then waits with
    /// the permit for the answer of that one.
    pub(super) async fn execute_once<F>(
        &self,
        idempotency: Idempotency,
        permit: Permit,
        execute: impl FnOnce(Permit) -> F,
    ) -> Answer
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let id = idempotency.id;
        let (answer, _permit) = {
            let mut commands = self.lock();
            match commands.get(&id) {
                Some(command) if command.request_hash != idempotency.request_hash => {
                    return Err(Error::IdempotencyKeyReused);
                }
                Some(command) => (command.answer.clone(), Some(permit)),
                None => {
                    let answer = self.spawn(id, execute(permit));
                    let command = InFlight {
                        request_hash: idempotency.request_hash,
                        answer: answer.clone(),
                    };
                    commands.insert(id, command);
                    (answer, None)
                }
            }
        };
        answer.await
    }

    /// Runs `execution` in a task of its own, so that the key is forgotten at its end even if all clients
    /// that wait for the answer have disconnected.
    fn spawn(
        &self,
        id: RecordId,
        execution: impl Future<Output = Answer> + Send + 'static,
    ) -> SharedAnswer {
        let this = self.clone();
        let task = tokio::spawn(async move {
            let answer = execution.await;
            this.lock().remove(&id);
            answer
        });
        task.map(|joined| joined.unwrap_or_else(|error| Err(Error::internal(error))))
            .boxed()
            .shared()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RecordId, InFlight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

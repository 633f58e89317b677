//! Events that a reactor could not answer. Each is kept as an action that was given up, with the target [`ANSWER`] and
//! no path, so that operators find it where they look for such actions, and retry or drop it there. To try it again is
//! to run the process manager again.

use std::collections::BTreeMap;

use sqlx::PgPool;
use sqlx::types::Json;
use tidemark_domain::ProcessManager;
use tidemark_event_store::Log;
use tidemark_events::Recorded;
use tidemark_read_models::storage::refuses_a_row;
use uuid::Uuid;

use super::actions::{ANSWER, CausedAction, Unanswered};
use super::answer::Verdict;
use super::attempts::Attempt;
use super::reaction::{process_manager, react};
use crate::following::failure::{EventError, FailureKind};

/// How many characters of the reason are kept: the retry of an action puts them on record.
const REASON_CHARS_MAX: usize = 100;
/// How many of the events are tried at once when a reactor starts.
const AT_ONCE_MAX: i64 = 1_000;

/// An event that could not be answered because of this error.
pub(super) fn unanswered(event: &Recorded, error: &EventError) -> Unanswered {
    let metadata = event.metadata();
    Unanswered {
        position: event.position,
        event_id: event.event_id,
        correlation_id: metadata.map_or(Uuid::nil(), |metadata| metadata.correlation_id),
        reason: reason(error),
    }
}

/// The error as one line of plain characters, since it may quote what the event holds.
fn reason(error: &EventError) -> String {
    let text = error.to_string();
    let is_plain = |char: &char| char.is_ascii_graphic() || *char == ' ';
    let plain: String = text.chars().filter(is_plain).collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    let line = words.join(" ");
    line.chars().take(REASON_CHARS_MAX).collect()
}

/// Runs the process manager again on the event of this attempt, and stores the actions that follow.
///
/// # Errors
/// If Postgres fails.
pub(super) async fn answer(log: &Log, attempt: &Attempt) -> sqlx::Result<Verdict> {
    let Some(process_manager) = process_manager(&attempt.reactor) else {
        return Ok(Verdict::Inconclusive(
            "only a newer build has the reactor".to_owned(),
        ));
    };
    let events = log.at(&[attempt.position]).await?;
    let Some(event) = events.first() else {
        return Ok(Verdict::Refused("the log has no such event".to_owned()));
    };
    match react(process_manager, event) {
        Ok(actions) => {
            let store = store(
                log.pool(),
                &attempt.reactor,
                event,
                attempt.number,
                &actions,
            );
            Ok(match log.pool().with_timeout(store).await? {
                Ok(()) => Verdict::Done,
                Err(error) => Verdict::Refused(reason(&error)),
            })
        }
        Err(error) if error.kind() == FailureKind::NewerBuild => {
            Ok(Verdict::Inconclusive(reason(&error)))
        }
        Err(error) => Ok(Verdict::Refused(reason(&error))),
    }
}

/// Answers the events that this process manager could not answer and can answer now, since this build may have the fix.
/// Those that an operator has dropped are left alone.
///
/// # Errors
/// If Postgres fails.
pub(super) async fn answer_all(log: &Log, process_manager: &ProcessManager) -> sqlx::Result<()> {
    let reactor = process_manager.name;
    let attempts = attempts(log.pool(), reactor).await?;
    if attempts.is_empty() {
        return Ok(());
    }
    let positions: Vec<_> = attempts.keys().copied().collect();
    for event in log.at(&positions).await? {
        let (position, number) = (event.position, attempts[&event.position]);
        let answered = match react(process_manager, &event) {
            Ok(actions) => store(log.pool(), reactor, &event, number, &actions).await?,
            Err(error) => Err(error),
        };
        match answered {
            Ok(()) => tracing::info!(reactor, position, "an event is answered at last"),
            Err(error) => {
                tracing::warn!(reactor, position, %error, "an event still cannot be answered");
            }
        }
    }
    Ok(())
}

/// How often each of the events was tried that a reactor could not answer, by their positions.
async fn attempts(pool: &PgPool, reactor: &str) -> sqlx::Result<BTreeMap<i64, i32>> {
    let unanswered = sqlx::query!(
        r#"
        select position, attempts
          from reactor_actions
         where reactor = $1
           and target = $2
           and done_at is not null
           and outcome <> 'done'
           and outcome <> 'dropped'
         order by done_at desc
         limit $3
        "#,
        reactor,
        ANSWER,
        AT_ONCE_MAX,
    )
    .fetch_all(pool)
    .await?;
    let attempts = unanswered.into_iter().map(|it| (it.position, it.attempts));
    Ok(attempts.collect())
}

/// Ends the action that stands for the answer to an event, and stores the actions that follow, unless it was tried again
/// since its attempt with this number, or was dropped. The error within says that Postgres refuses what follows, as it would again.
async fn store(
    pool: &PgPool,
    reactor: &str,
    event: &Recorded,
    attempt: i32,
    actions: &[CausedAction],
) -> sqlx::Result<Result<(), EventError>> {
    let planned: Vec<_> = actions.iter().map(CausedAction::planned).collect();
    let stored = sqlx::query!(
        r#"
        with ended as (
            update reactor_actions
               set done_at = clock_timestamp(),
                   outcome = 'done'
             where reactor = $1
               and position = $2
               and target = $3
               and attempts = $4
               and (done_at is null or outcome not in ('done', 'dropped'))
            returning reactor
        )
        select store_actions(reactor, $5) from ended
        "#,
        reactor,
        event.position,
        ANSWER,
        attempt,
        Json(&planned) as _,
    )
    .fetch_optional(pool)
    .await;
    match stored {
        Err(error) if refuses_a_row(&error) => Ok(Err(EventError::not_stored(&error))),
        stored => stored.map(|_| Ok(())),
    }
}

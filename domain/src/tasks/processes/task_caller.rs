//! Has the URL of a task called for each run, and again while the decision on the last attempt says so.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_events::tasks::task_run;
use tidemark_events::tasks::task_run::CallLimit;
use tidemark_events::{Event, TaskId, TaskRunId, Timestamp, UserId};

use crate::process_manager::{About, Action, Done, ProcessManager, What};
use crate::tasks::destination::server;

/// Has the URLs of tasks called.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "task-caller",
    event_types: &["task_run.requested", "task_run.attempted"],
    commands: &["record_task_attempt"],
    fulfilled: &["task_attempt_recorded", "task_run_over"],
    final_refusals: &[],
    react,
};

/// The name of the effect that calls the URL of a task.
pub const WEBHOOK: &str = "webhook";

/// Which call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The task.
    pub task_id: TaskId,
    /// The run.
    pub run_id: TaskRunId,
    /// The number of the attempt, from 1 on.
    pub attempt: u32,
    /// How long it may take; none if as long as any call.
    pub limit: Option<CallLimit>,
}

fn react(event: &Event) -> Vec<Action> {
    next_call(event).into_iter().collect()
}

/// The call that follows from an event.
fn next_call(event: &Event) -> Option<Action> {
    let Event::TaskRun(event) = event else {
        return None;
    };
    match event {
        task_run::Event::Requested {
            task_run_id,
            task_id,
            owner_id,
            place,
            host,
            port,
            ..
        } => {
            let call = Call {
                task_id: *task_id,
                run_id: *task_run_id,
                attempt: 1,
                limit: None,
            };
            let server = server(host, *port);
            Some(call_at(None, server, *owner_id, *place, call))
        }
        task_run::Event::Attempted {
            task_run_id,
            task_id,
            owner_id,
            attempt,
            next_at,
            next_limit,
            place,
            host,
            port,
            ..
        } => {
            let call = Call {
                task_id: *task_id,
                run_id: *task_run_id,
                attempt: attempt.saturating_add(1),
                limit: *next_limit,
            };
            let next_at = **next_at.as_ref()?;
            let server = server(host, *port);
            Some(call_at(Some(next_at), server, *owner_id, *place, call))
        }
        task_run::Event::Succeeded { .. }
        | task_run::Event::Failed { .. }
        | task_run::Event::Cancelled { .. } => None,
    }
}

/// A call of this server at that time, or at once, for a run that takes this place of its task.
fn call_at(
    due_at: Option<Timestamp>,
    server: String,
    owner_id: UserId,
    place: u32,
    call: Call,
) -> Action {
    Action {
        name: "call".to_owned(),
        due_at,
        owner_id: Some(owner_id),
        // Runs that take one place do not overlap: what the one before has waited for is not called any more.
        about: Some(About {
            what: place_of(call.task_id, place),
            done: Done::Newest,
        }),
        what: What::Effect {
            name: WEBHOOK.to_owned(),
            destination: server,
            body: json!(call),
        },
    }
}

/// What calls of runs that take this place of a task are about. The first place is named as builds before did, which had one.
fn place_of(task_id: TaskId, place: u32) -> String {
    match place {
        0 => task_id.to_string(),
        _ => format!("{task_id}/{place}"),
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{SELLER, TASK, TASK_RUN, at, moment};

    use super::*;
    use crate::given::sample;

    #[test]
    fn a_run_is_called_at_once_and_then_when_the_last_attempt_says() {
        let limit = CallLimit {
            max_ms: 55_000,
            until: moment(130).into(),
        };
        for (event_type, due_at, attempt, limit, server) in [
            ("task_run.requested", None, 1, None, "hooks.example"),
            (
                "task_run.attempted",
                Some(at(65)),
                2,
                Some(limit),
                "hooks.example:8443",
            ),
        ] {
            let [action] = &react(&sample(event_type))[..] else {
                panic!("one action");
            };
            let call = Call {
                task_id: TASK,
                run_id: TASK_RUN,
                attempt,
                limit,
            };
            let what = What::Effect {
                name: WEBHOOK.to_owned(),
                destination: server.to_owned(),
                body: json!(call),
            };
            assert_eq!((action.due_at, &action.what), (due_at, &what));
            assert_eq!(action.owner_id, Some(SELLER));
            let about = action.about.as_ref().unwrap();
            assert_eq!(
                (&*about.what, about.done),
                (&*TASK.to_string(), Done::Newest)
            );
        }
    }

    #[test]
    fn calls_of_runs_that_go_on_at_once_do_not_take_the_place_of_each_other() {
        for event_type in ["task_run.requested", "task_run.attempted"] {
            let mut event = sample(event_type);
            if let Event::TaskRun(
                task_run::Event::Requested { place, .. } | task_run::Event::Attempted { place, .. },
            ) = &mut event
            {
                *place = 2;
            }
            let about = react(&event).remove(0).about.unwrap();
            assert_eq!(about.what, format!("{TASK}/2"));
        }
    }
}

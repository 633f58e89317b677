//! Tells owners that their tasks were paused.

use serde_json::json;
use tidemark_events::Event;
use tidemark_events::tasks::task;

use crate::process_manager::{Action, ProcessManager, What};

/// Has users notified that a task of theirs was paused. Whether they paused it themselves is seen where that is decided.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "task-notifier",
    event_types: &["task.paused"],
    commands: &["tell_of_paused_task"],
    // Who has retired the task meanwhile need not be told of it.
    fulfilled: &[
        "notification_raised",
        "notification_unwanted",
        "notification_moot",
        "task_retired",
    ],
    final_refusals: &[],
    react,
};

fn react(event: &Event) -> Vec<Action> {
    let Event::Task(task::Event::Paused {
        task_id,
        owner_id,
        reason,
    }) = event
    else {
        return Vec::new();
    };
    vec![Action {
        name: "paused".to_owned(),
        due_at: None,
        owner_id: None,
        about: None,
        what: What::Command {
            path: format!("/v1/tasks/{task_id}/pause-notices"),
            body: Some(json!({"user_id": owner_id, "reason": reason})),
        },
    }]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{SELLER, TASK};

    use super::*;
    use crate::given::sample;

    #[test]
    fn the_owner_of_a_task_that_was_paused_is_told() {
        let [action] = &react(&sample("task.paused"))[..] else {
            panic!("one action");
        };
        let tell = What::Command {
            path: format!("/v1/tasks/{TASK}/pause-notices"),
            body: Some(json!({"user_id": SELLER, "reason": "owner"})),
        };
        assert_eq!(action.what, tell);
    }
}

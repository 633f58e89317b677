//! Tells people what concerns them.

use serde_json::json;
use tidemark_events::Event;
use tidemark_events::identity::user;
use tidemark_events::messaging::message::Template;

use crate::process_manager::{Action, ProcessManager, What};

/// Has messages sent to people about what has happened.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "notifier",
    event_types: &["user.registered"],
    commands: &["request_message"],
    fulfilled: &[],
    final_refusals: &[],
    react,
};

fn react(event: &Event) -> Vec<Action> {
    let Event::User(user::Event::Registered {
        email,
        display_name,
        ..
    }) = event
    else {
        return Vec::new();
    };
    vec![Action {
        name: "welcome".to_owned(),
        due_at: None,
        owner_id: None,
        about: None,
        what: What::Command {
            path: "/v1/messages".to_owned(),
            body: Some(json!({"template": Template::Welcome, "to": email, "name": display_name})),
        },
    }]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;

    use super::*;

    #[test]
    fn who_registers_is_welcomed_and_named_in_sealed_form_only() {
        let registered = samples::all().into_iter().find(|it| !react(it).is_empty());
        let [action] = &react(&registered.unwrap())[..] else {
            panic!("one action");
        };
        let What::Command {
            path,
            body: Some(body),
        } = &action.what
        else {
            panic!("a command with a body: {action:?}");
        };
        assert_eq!((path.as_str(), action.due_at), ("/v1/messages", None));
        assert_eq!(body["template"], "welcome");
        assert_eq!(body["to"]["ciphertext"], "ZW1haWw");
        assert_eq!(body["name"]["ciphertext"], "bmFtZQ");
    }
}

//! Has mails sent.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Template;
use tidemark_events::{Event, MessageId, Moment, Sealed, Stored};

use crate::process_manager::{Action, ProcessManager, What};

/// Has the messages that are requested sent as mails.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "mailer",
    event_types: &["message.requested"],
    commands: &["end_message"],
    fulfilled: &["message_over"],
    final_refusals: &[],
    react,
};

/// The name of the effect that sends a mail.
pub const MAIL: &str = "mail";

/// What a mail is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The message.
    pub message_id: MessageId,
    /// What it says.
    pub template: Template,
    /// The address, sealed as `email`.
    pub to: Sealed,
    /// The name of the recipient, sealed as `display_name`.
    pub name: Sealed,
    /// After this time it is not sent.
    pub not_after: Stored<Moment>,
}

fn react(event: &Event) -> Vec<Action> {
    let Event::Message(message::Event::Requested {
        message_id,
        template,
        to,
        name,
        not_after,
        ..
    }) = event
    else {
        return Vec::new();
    };
    let mail = Mail {
        message_id: *message_id,
        template: template.clone(),
        to: to.clone(),
        name: name.clone(),
        not_after: *not_after,
    };
    vec![Action {
        name: MAIL.to_owned(),
        due_at: None,
        about: None,
        what: What::Effect {
            name: MAIL.to_owned(),
            destination: String::new(),
            body: json!(mail),
        },
    }]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::MESSAGE;

    use super::*;

    #[test]
    fn a_message_that_is_requested_is_sent_as_a_mail() {
        let actions: Vec<_> = samples::all().iter().flat_map(react).collect();
        let [
            Action {
                what: What::Effect { name, body, .. },
                due_at: None,
                ..
            },
        ] = &actions[..]
        else {
            panic!("one effect: {actions:?}");
        };
        assert_eq!(name, MAIL);
        let mail: Mail = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(mail.message_id, MESSAGE);
    }
}

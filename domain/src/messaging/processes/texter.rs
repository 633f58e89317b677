//! Has texts sent.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::{Event, MessageId, Moment, Sealed, Stored};

use crate::process_manager::{Action, ProcessManager, What};

/// Has the messages that are requested as texts sent to telephones.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "texter",
    event_types: &["message.requested"],
    commands: &["end_message"],
    fulfilled: &["message_over"],
    final_refusals: &[],
    react,
};

/// The name of the effect that sends a text.
pub const TEXT: &str = "text";

/// What a text is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The message.
    pub message_id: MessageId,
    /// What it says.
    pub template: Template,
    /// The number, sealed as `phone_number`.
    pub to: Sealed,
    /// The template whose words it uses; none if it says what it says without one.
    pub wording: Option<TemplateVersion>,
    /// After this time it is not sent.
    pub not_after: Stored<Moment>,
}

fn react(event: &Event) -> Vec<Action> {
    let Event::Message(message::Event::Requested {
        message_id,
        channel: Channel::Sms,
        template,
        to,
        wording,
        not_after,
        ..
    }) = event
    else {
        return Vec::new();
    };
    let text = Text {
        message_id: *message_id,
        template: template.clone(),
        to: to.clone(),
        wording: *wording,
        not_after: *not_after,
    };
    vec![Action {
        name: TEXT.to_owned(),
        due_at: None,
        owner_id: None,
        about: None,
        what: What::Effect {
            name: TEXT.to_owned(),
            destination: String::new(),
            body: json!(text),
        },
    }]
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::TEXT as MESSAGE;

    use super::*;

    #[test]
    fn a_text_is_sent_at_once_and_a_mail_is_none() {
        let actions: Vec<_> = samples::all().iter().flat_map(react).collect();
        let [action] = &actions[..] else {
            panic!("one action: {actions:?}");
        };
        let What::Effect { name, body, .. } = &action.what else {
            panic!("an effect: {action:?}");
        };
        assert_eq!((name.as_str(), action.due_at), (TEXT, None));
        let text: Text = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(text.message_id, MESSAGE);
        assert_eq!(text.to.ciphertext, "bnVtYmVy");
    }
}

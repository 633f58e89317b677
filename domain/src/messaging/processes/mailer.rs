//! Has mails sent.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::{Event, MessageId, Moment, Sealed, Stored, Timestamp};

use crate::process_manager::{Action, ProcessManager, What};

/// Has the messages that are requested as mails sent.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "mailer",
    event_types: &["message.requested", "message.deferred", "message.uncertain"],
    commands: &["end_message"],
    fulfilled: &["message_over"],
    final_refusals: &[],
    react,
};

/// The name of the effect that sends a mail.
pub const MAIL: &str = "mail";

/// The name of the effect that sends a mail once more of which nobody knows whether the server has it.
pub const REPEAT: &str = "mail_repeat";

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
    /// The template whose words it uses; none if it says what it says without one.
    pub wording: Option<TemplateVersion>,
    /// After this time it is not sent.
    pub not_after: Stored<Moment>,
}

/// The mail that is sent once more. What it is made of is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The message.
    pub message_id: MessageId,
}

impl Mail {
    /// What this event has sent; none if it has no mail sent.
    #[must_use]
    pub fn of(event: &message::Event) -> Option<Self> {
        match event {
            message::Event::Requested {
                channel: Channel::Mail,
                message_id,
                template,
                to,
                name,
                wording,
                not_after,
                ..
            }
            | message::Event::Deferred {
                message_id,
                template,
                to,
                name,
                wording,
                not_after,
                ..
            } => Some(Self {
                message_id: *message_id,
                template: template.clone(),
                to: to.clone(),
                name: name.clone(),
                wording: *wording,
                not_after: *not_after,
            }),
            message::Event::Requested {
                channel: Channel::Sms,
                ..
            }
            | message::Event::Suppressed { .. }
            | message::Event::Uncertain { .. }
            | message::Event::Ended { .. }
            | message::Event::Delivered { .. }
            | message::Event::Bounced { .. }
            | message::Event::Complained { .. } => None,
        }
    }
}

fn react(event: &Event) -> Vec<Action> {
    let Event::Message(event) = event else {
        return Vec::new();
    };
    if let message::Event::Uncertain {
        message_id,
        repeat_at,
    } = event
    {
        let repeat = Repeat {
            message_id: *message_id,
        };
        return vec![action(REPEAT, Some(**repeat_at), json!(repeat))];
    }
    let Some(mail) = Mail::of(event) else {
        return Vec::new();
    };
    let due_at = if let message::Event::Deferred { not_before, .. } = event {
        Some(**not_before)
    } else {
        None
    };
    vec![action(MAIL, due_at, json!(mail))]
}

fn action(effect: &str, due_at: Option<Timestamp>, body: Value) -> Action {
    Action {
        name: effect.to_owned(),
        due_at,
        owner_id: None,
        about: None,
        what: What::Effect {
            name: effect.to_owned(),
            destination: String::new(),
            body,
        },
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{LATER_MESSAGE, MESSAGE, at};

    use super::*;
    use crate::given::sample;

    #[test]
    fn a_message_is_sent_as_a_mail_at_once_or_when_it_may_be() {
        for (event_type, message_id, due_at) in [
            ("message.requested", MESSAGE, None),
            ("message.deferred", LATER_MESSAGE, Some(at(3_600))),
        ] {
            let actions = react(&sample(event_type));
            let [action] = &actions[..] else {
                panic!("one action: {actions:?}");
            };
            let What::Effect { name, body, .. } = &action.what else {
                panic!("an effect: {action:?}");
            };
            assert_eq!((name.as_str(), action.due_at), (MAIL, due_at));
            let mail: Mail = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(mail.message_id, message_id);
        }
    }

    #[test]
    fn a_mail_that_a_server_may_have_is_sent_once_more_later() {
        let actions = react(&sample("message.uncertain"));
        let [action] = &actions[..] else {
            panic!("one action: {actions:?}");
        };
        let What::Effect { name, body, .. } = &action.what else {
            panic!("an effect: {action:?}");
        };
        assert_eq!((name.as_str(), action.due_at), (REPEAT, Some(at(600))));
        let repeat: Repeat = serde_json::from_value(body.clone()).unwrap();
        assert_eq!(repeat.message_id, MESSAGE);
    }
}

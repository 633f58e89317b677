//! Has mails sent.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::template::TemplateVersion;
use tidemark_events::{Event, MessageId, Moment, Sealed, Stored};

use crate::process_manager::{Action, ProcessManager, What};

/// Has the messages that are requested as mails sent.
pub const PROCESS_MANAGER: ProcessManager = ProcessManager {
    name: "mailer",
    event_types: &["message.requested", "message.deferred"],
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
    /// The template whose words it uses; none if it says what it says without one.
    pub wording: Option<TemplateVersion>,
    /// After this time it is not sent.
    pub not_after: Stored<Moment>,
}

fn react(event: &Event) -> Vec<Action> {
    let Event::Message(event) = event else {
        return Vec::new();
    };
    let (due_at, mail) = match event {
        message::Event::Requested {
            channel: Channel::Mail,
            message_id,
            template,
            to,
            name,
            wording,
            not_after,
            ..
        } => {
            let mail = Mail {
                message_id: *message_id,
                template: template.clone(),
                to: to.clone(),
                name: name.clone(),
                wording: *wording,
                not_after: *not_after,
            };
            (None, mail)
        }
        message::Event::Deferred {
            message_id,
            template,
            to,
            name,
            wording,
            not_before,
            not_after,
            ..
        } => {
            let mail = Mail {
                message_id: *message_id,
                template: template.clone(),
                to: to.clone(),
                name: name.clone(),
                wording: *wording,
                not_after: *not_after,
            };
            (Some(**not_before), mail)
        }
        message::Event::Requested {
            channel: Channel::Sms,
            ..
        }
        | message::Event::Suppressed { .. }
        | message::Event::Ended { .. }
        | message::Event::Delivered { .. }
        | message::Event::Bounced { .. } => return Vec::new(),
    };
    vec![Action {
        name: MAIL.to_owned(),
        due_at,
        owner_id: None,
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
}

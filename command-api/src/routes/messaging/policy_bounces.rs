//! Counts messages that were refused, after they had been taken, for a reason that is not the recipient's: more than one will be.

use metrics::counter;
use tidemark_domain::messaging::bounce::Bounce;
use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::Status;

/// Counts a message that was refused with these codes, if they say nothing of the recipient.
pub(super) fn count(channel: Channel, status: &Status) {
    if Bounce::of(channel, status) == Bounce::Policy {
        match channel {
            Channel::Mail => counter!("tidemark_mails_refused_by_policy_total"),
            Channel::Sms => counter!("tidemark_texts_refused_by_policy_total"),
        }
        .increment(1);
    }
}

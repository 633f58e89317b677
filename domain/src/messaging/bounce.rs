//! What the codes of a refusal say of the address: those of a mail server (RFC 3463), or those of a provider of texts.

use tidemark_events::messaging::channels::Channel;
use tidemark_events::messaging::message::Status;

/// What a refusal says of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// There is no such address, or no texts reach the number.
    Hard,
    /// The message was refused for a reason that may pass, such as a mailbox that is full or a telephone that is off.
    Soft,
    /// The server does not want messages from here. That says nothing of the address.
    Policy,
    /// The recipient wants no more texts.
    Unsubscribed,
}

impl Bounce {
    /// What these codes say of the address to which a message was sent by this channel.
    #[must_use]
    pub fn of(channel: Channel, status: &Status) -> Self {
        match channel {
            Channel::Mail => Self::of_mail(status),
            Channel::Sms => Self::of_text(status),
        }
    }

    /// What the codes of a mail server say. Without one of RFC 3463, nothing tells that there is no such address.
    #[must_use]
    pub fn of_mail(status: &Status) -> Self {
        let numbers: Vec<&str> = last_word(status).split('.').collect();
        match numbers[..] {
            // 5.1.5 says that the address is valid, and 5.1.7 and 5.1.8 are about that of the sender.
            ["5", "1", "5" | "7" | "8"] | ["5", "7", _] => Self::Policy,
            ["5", "1", _] => Self::Hard,
            _ => Self::Soft,
        }
    }

    /// What the code of a provider says, as Twilio documents its errors.
    #[must_use]
    pub fn of_text(status: &Status) -> Self {
        match last_word(status) {
            // The recipient has answered STOP.
            "21610" => Self::Unsubscribed,
            // No number, none of a mobile telephone, none that has ever been in use, and that of a landline.
            "21211" | "21614" | "30005" | "30006" => Self::Hard,
            // Switched off, without a reason, and too slow: these are of the telephone.
            "30003" | "30008" | "30009" | "30010" => Self::Soft,
            // All others are about the account, the sender, the country or the words.
            _ => Self::Policy,
        }
    }
}

fn last_word(status: &Status) -> &str {
    status.as_str().split(' ').next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::stated;

    use super::*;

    #[test]
    fn only_what_is_said_of_the_address_is_a_hard_bounce() {
        for (status, bounce) in [
            ("550 5.1.1", Bounce::Hard),
            ("5.1.10", Bounce::Hard),
            ("550 5.1.8", Bounce::Policy),
            ("550 5.7.1", Bounce::Policy),
            ("552 5.2.2", Bounce::Soft),
            ("450 4.1.1", Bounce::Soft),
            ("550", Bounce::Soft),
        ] {
            let status = stated(status);
            assert_eq!(Bounce::of(Channel::Mail, &status), bounce, "{status:?}");
        }
    }

    #[test]
    fn only_what_is_said_of_the_number_counts_for_it() {
        for (status, bounce) in [
            ("400 21610", Bounce::Unsubscribed),
            ("400 21211", Bounce::Hard),
            ("30006", Bounce::Hard),
            ("30003", Bounce::Soft),
            ("400 21408", Bounce::Policy),
            ("30007", Bounce::Policy),
            ("400", Bounce::Policy),
        ] {
            let status = stated(status);
            assert_eq!(Bounce::of(Channel::Sms, &status), bounce, "{status:?}");
        }
    }
}

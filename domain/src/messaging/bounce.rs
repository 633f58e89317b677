//! What the codes of a server's refusal say of the address (RFC 3463).

use tidemark_events::messaging::message::Status;

/// What a refusal says of the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// There is no such address.
    Hard,
    /// The mail was refused for a reason that may pass, such as a mailbox that is full.
    Soft,
    /// The server does not want mails from here. That says nothing of the address.
    Policy,
}

impl Bounce {
    /// What these codes say. Without one of RFC 3463, nothing tells that there is no such address.
    #[must_use]
    pub fn of(status: &Status) -> Self {
        let enhanced = status.as_str().split(' ').next_back().unwrap_or_default();
        let numbers: Vec<&str> = enhanced.split('.').collect();
        match numbers[..] {
            // 5.1.5 says that the address is valid, and 5.1.7 and 5.1.8 are about that of the sender.
            ["5", "1", "5" | "7" | "8"] | ["5", "7", _] => Self::Policy,
            ["5", "1", _] => Self::Hard,
            _ => Self::Soft,
        }
    }
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
            assert_eq!(Bounce::of(&stated(status)), bounce, "{status}");
        }
    }
}

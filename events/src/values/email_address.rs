//! E-mail addresses.

use garde::rules::email::parse_email;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization;

/// The longest address that SMTP carries, in bytes (RFC 5321, section 4.5.3.1.3).
const BYTES_MAX: usize = 254;

/// An e-mail address as its owner writes it, in ASCII. Events hold it sealed, so it is no [`Value`](super::Value) of
/// theirs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EmailAddress(String);

/// Why a text is not an [`EmailAddress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// The text does not name a mailbox and a host.
    #[error("must be an e-mail address, such as ada@example.com")]
    Malformed,
    /// The text has too many characters.
    #[error("must have at most {BYTES_MAX} characters")]
    TooLong,
}

impl EmailAddress {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An address in the form that is hashed and looked up: two spellings of one mailbox give one text.
    #[must_use]
    pub fn normalise(address: &str) -> String {
        address.nfkc().collect::<String>().to_lowercase()
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, EmailError> {
        if text.len() > BYTES_MAX {
            return Err(EmailError::TooLong);
        }
        if is_mailbox(&text) {
            Ok(Self(text))
        } else {
            Err(EmailError::Malformed)
        }
    }
}

/// Whether the text is a mailbox at a host with a name, as RFC 5321 has it (section 4.1.2). Nobody has a mailbox at the address of a
/// host (section 4.1.3) today but machines for each other, and mail servers refuse them; what ends in a number is such an address, since
/// no top-level domain is one (RFC 3696, section 2). The parser takes dots in any places.
fn is_mailbox(text: &str) -> bool {
    let Some((local_part, host)) = text.split_once('@') else {
        return false;
    };
    let top_level = host.rsplit('.').next().unwrap_or_default();
    let is_number = top_level.bytes().all(|it| it.is_ascii_digit());
    let is_name = !is_number && !host.contains(['[', ':']);
    is_name && parse_email(text).is_ok() && local_part.split('.').all(|atom| !atom.is_empty())
}

/// It is personal, so it is not shown.
impl std::fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailAddress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<EmailAddress, EmailError> {
        text.to_owned().try_into()
    }

    #[test]
    fn an_address_names_a_mailbox_and_a_host() {
        for good in ["ada@example.com", "Ada.L+x@mail.example", "a@b", "a@1.b2"] {
            assert_eq!(parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c.example",
            "a b@example.com",
            "a@b\r\n.example",
            "a@example.com\n",
            "a\0@example.com",
            "a\u{202e}b@example.com",
            "\u{e9}@example.com",
            "a@-.example",
            "ada.@d.example",
            ".ada@d.example",
            "a..da@d.example",
            ".@d.example",
            "ada@[192.0.2.1]",
            "ada@[IPv6:2001:db8::1]",
            "ada@[ipv6:::1]",
            "ada@[::1]",
            "ada@[2001:db8::1]",
            "ada@[IPv6:192.0.2.1]",
            "ada@[IPv6:::1",
            "ada@[IPv6:]",
            "ada@IPv6:::1",
            "ada@192.0.2.1",
            "ada@mail.1",
            "Ada <ada@example.com>",
        ] {
            assert_eq!(parse(bad), Err(EmailError::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_no_longer_than_mail_carries() {
        let long = |bytes: usize| format!("a@{}", vec!["b"; (bytes - 1) / 2].join("."));
        assert_eq!(long(253).len(), 253);
        assert!(parse(&long(253)).is_ok());
        assert_eq!(parse(&long(255)), Err(EmailError::TooLong));
    }

    #[test]
    fn an_address_is_not_shown() {
        assert_eq!(
            format!("{:?}", parse("ada@example.com").unwrap()),
            "EmailAddress"
        );
    }
}

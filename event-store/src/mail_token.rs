//! What mails carry that comes back to Tidemark, so that it says whom it is about without being asked. A part of each is a MAC
//! under the lookup key, so that nobody else can make one. None of them says a time: links in mails that are kept stay good for
//! ever, and how long after a mail a report about it counts is decided where it is put on record.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use tidemark_events::messaging::channels::Category;
use tidemark_events::{MessageId, UserId};
use uuid::Uuid;

use crate::LookupKey;

/// What the MAC of an unsubscribe token is made for.
const UNSUBSCRIBE: &str = "unsubscribe";
/// What the MAC of a return path is made for.
const RETURN_PATH: &str = "return_path";
/// The size of the MAC of a return path: a local part has 64 characters at most (RFC 5321, section 4.5.3.1.1).
const RETURN_PATH_MAC_BYTES: usize = 8;
/// The length of an id in a return path.
const ID_CHARS: usize = 32;

/// The size of an id.
const ID_BYTES: usize = 16;
/// The size of a MAC. Nobody can try out more than the API answers.
const MAC_BYTES: usize = 16;

/// What a user unsubscribes from by a link in a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscription {
    /// The user.
    pub user_id: UserId,
    /// What the user gets no mails of any more.
    pub category: Category,
}

impl Unsubscription {
    /// The token that stands for this in a link.
    #[must_use]
    pub fn token(self, key: &LookupKey) -> String {
        let name = self.category.name().as_bytes();
        let bytes = [self.user_id.0.as_bytes(), &*self.mac(key), name].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token stands for. None if it was not made by [`Self::token`] with this key.
    #[must_use]
    pub fn read(token: &str, key: &LookupKey) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (id, rest) = bytes.split_at_checked(ID_BYTES)?;
        let (mac, name) = rest.split_at_checked(MAC_BYTES)?;
        let read = Self {
            user_id: UserId(Uuid::from_slice(id).ok()?),
            category: Category::ALL
                .into_iter()
                .find(|it| it.name().as_bytes() == name)?,
        };
        bool::from(read.mac(key).ct_eq(mac)).then_some(read)
    }

    fn mac(self, key: &LookupKey) -> Vec<u8> {
        let text = format!("{} {}", self.user_id, self.category.name());
        let mut mac = key.mac(UNSUBSCRIBE, text.as_bytes());
        mac.truncate(MAC_BYTES);
        mac
    }
}

/// Where a mail comes back to that cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReturnPath {
    /// The message that the mail brings.
    pub message_id: MessageId,
}

impl ReturnPath {
    /// What stands after the `+` of the address. Servers may change the case of its letters.
    #[must_use]
    pub fn tag(self, key: &LookupKey) -> String {
        let mac = hex::encode(self.mac(key));
        format!("{}{mac}", self.message_id.0.simple())
    }

    /// What an address stands for. None if its tag was not made by [`Self::tag`] with this key.
    #[must_use]
    pub fn read(address: &str, key: &LookupKey) -> Option<Self> {
        let (local_part, _) = address.rsplit_once('@')?;
        let (_, tag) = local_part.rsplit_once('+')?;
        let (id, mac) = tag.split_at_checked(ID_CHARS)?;
        let read = Self {
            message_id: MessageId(Uuid::try_parse(id).ok()?),
        };
        let mac = hex::decode(mac).ok()?;
        bool::from(read.mac(key).ct_eq(&mac)).then_some(read)
    }

    fn mac(self, key: &LookupKey) -> Vec<u8> {
        let mut mac = key.mac(RETURN_PATH, self.message_id.0.as_bytes());
        mac.truncate(RETURN_PATH_MAC_BYTES);
        mac
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{MESSAGE, SELLER};

    use super::*;

    fn key(byte: u8) -> LookupKey {
        LookupKey::new(vec![byte; 32]).unwrap()
    }

    #[test]
    fn a_token_is_read_by_the_key_that_made_it_and_by_no_other() {
        let unsubscription = Unsubscription {
            user_id: SELLER,
            category: Category::Outbid,
        };
        let token = unsubscription.token(&key(1));
        assert_eq!(Unsubscription::read(&token, &key(1)), Some(unsubscription));
        assert_eq!(Unsubscription::read(&token, &key(2)), None);
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let unsubscription = Unsubscription {
            user_id: SELLER,
            category: Category::Unsold,
        };
        let token = unsubscription.token(&key(1));
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(Unsubscription::read(&changed, &key(1)), None, "{place}");
        }
        for wrong in ["", "a", &token[..10], &format!("{token}AAAA")] {
            assert_eq!(Unsubscription::read(wrong, &key(1)), None, "{wrong}");
        }
    }

    #[test]
    fn a_return_path_is_read_whatever_the_case_of_its_letters_and_by_one_key_alone() {
        let path = ReturnPath {
            message_id: MESSAGE,
        };
        let tag = path.tag(&key(1));
        assert_eq!(tag.len(), 48);
        let address = format!("bounces+{tag}@tidemark.example");
        for written in [address.to_uppercase(), address.clone()] {
            assert_eq!(ReturnPath::read(&written, &key(1)), Some(path));
            assert_eq!(ReturnPath::read(&written, &key(2)), None);
        }
        let other = "0123456789abcdef".repeat(3);
        for wrong in [
            "",
            "bounces@tidemark.example",
            "a+b@c",
            &format!("a+{other}@c"),
            &tag,
        ] {
            assert_eq!(ReturnPath::read(wrong, &key(1)), None, "{wrong}");
        }
    }
}

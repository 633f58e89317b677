//! Links to media that are good for a short time, whoever has them. A MAC under the lookup key says that the owner has wanted one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;
use tidemark_events::MediaId;
use tidemark_events::media::media::Variant;

use crate::LookupKey;

/// What the MAC of a link is made for.
const LINK: &str = "media_link";
/// The size of a MAC. Nobody can try out more than the API answers.
const MAC_BYTES: usize = 16;

/// What a link leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaLink {
    /// The media.
    pub media_id: MediaId,
    /// Their size.
    pub variant: Variant,
    /// Until when it is good, in seconds since 1970.
    pub expires: i64,
}

impl MediaLink {
    /// What proves that the link was made here.
    #[must_use]
    pub fn signature(self, key: &LookupKey) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(key))
    }

    /// Whether this signature was made for the link, and the link is good at this time.
    #[must_use]
    pub fn is_good(self, signature: &str, key: &LookupKey, now: i64) -> bool {
        let stated = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        bool::from(self.mac(key).ct_eq(&stated)) && now < self.expires
    }

    fn mac(self, key: &LookupKey) -> Vec<u8> {
        let Self {
            media_id,
            variant,
            expires,
        } = self;
        let text = format!("{media_id} {} {expires}", variant.name());
        let mut mac = key.mac(LINK, text.as_bytes());
        mac.truncate(MAC_BYTES);
        mac
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples::{MEDIA, PRODUCT};

    use super::*;

    fn key(byte: u8) -> LookupKey {
        LookupKey::new(vec![byte; 32]).unwrap()
    }

    #[test]
    fn a_link_is_good_for_its_picture_until_its_time_alone() {
        let link = MediaLink {
            media_id: MEDIA,
            variant: Variant::Full,
            expires: 1_000,
        };
        let signature = link.signature(&key(1));
        assert!(link.is_good(&signature, &key(1), 999));
        assert!(!link.is_good(&signature, &key(1), 1_000));
        assert!(!link.is_good(&signature, &key(2), 999));
        for other in [
            MediaLink {
                media_id: MediaId(PRODUCT.0),
                ..link
            },
            MediaLink {
                variant: Variant::Square32,
                ..link
            },
            MediaLink {
                expires: 1_001,
                ..link
            },
        ] {
            assert!(!other.is_good(&signature, &key(1), 999), "{other:?}");
        }
        for altered in ["", &signature[1..], &format!("{signature}A"), "!"] {
            assert!(!link.is_good(altered, &key(1), 999), "{altered}");
        }
    }
}

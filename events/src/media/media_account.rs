//! Events of media accounts: how many bytes of uploads and media a user has.

use uuid::Uuid;

use crate::{MediaId, Moment, Stored, UserId};

id! {
    /// The id of the media account of a user.
    MediaAccountId
}

/// What tells the id of the account from that of its user: bits that are random in a UUIDv7.
const DIFFERENCE: u128 = 0x0000_0000_0000_0bc4_2f71_d80e_96a3_54b9;

impl MediaAccountId {
    /// The id of the account of this user, of whom there is no other.
    #[must_use]
    pub const fn of(user_id: UserId) -> Self {
        Self(Uuid::from_u128(user_id.0.as_u128() ^ DIFFERENCE))
    }
}

events! {
    /// The events of a media account.
    pub enum Event {
        /// An upload was opened, and its bytes count from now on, although they are still to come.
        #[serde(rename = "media_account.reserved")]
        Reserved {
            /// The account.
            media_account_id: MediaAccountId,
            /// The user.
            user_id: UserId,
            /// What is uploaded.
            media_id: MediaId,
            /// The bytes of the upload.
            bytes: i64,
        },
        /// The upload was stored, and what is stored counts in place of what was uploaded.
        #[serde(rename = "media_account.settled")]
        Settled {
            /// The account.
            media_account_id: MediaAccountId,
            /// The user.
            user_id: UserId,
            /// What was stored.
            media_id: MediaId,
            /// The bytes of all its variants.
            bytes: i64,
        },
        /// What was stored was deleted, and counts until its bytes are removed.
        #[serde(rename = "media_account.media_deleted")]
        MediaDeleted {
            /// The account.
            media_account_id: MediaAccountId,
            /// The user.
            user_id: UserId,
            /// What was deleted.
            media_id: MediaId,
            /// The bytes of all its variants.
            bytes: i64,
            /// Its bytes are removed then.
            remove_at: Stored<Moment>,
        },
        /// The upload came to nothing, or the bytes of what was deleted were removed, so that it counts no longer.
        #[serde(rename = "media_account.released")]
        Released {
            /// The account.
            media_account_id: MediaAccountId,
            /// The user.
            user_id: UserId,
            /// What was released.
            media_id: MediaId,
            /// The bytes that counted until now.
            bytes: i64,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{MEDIA, MEDIA_ACCOUNT, SELLER, moment};

    vec![
        Event::Reserved {
            media_account_id: MEDIA_ACCOUNT,
            user_id: SELLER,
            media_id: MEDIA,
            bytes: 150_000,
        },
        Event::Settled {
            media_account_id: MEDIA_ACCOUNT,
            user_id: SELLER,
            media_id: MEDIA,
            bytes: 120_000,
        },
        Event::MediaDeleted {
            media_account_id: MEDIA_ACCOUNT,
            user_id: SELLER,
            media_id: MEDIA,
            bytes: 120_000,
            remove_at: moment(864_000).into(),
        },
        Event::Released {
            media_account_id: MEDIA_ACCOUNT,
            user_id: SELLER,
            media_id: MEDIA,
            bytes: 120_000,
        },
    ]
}

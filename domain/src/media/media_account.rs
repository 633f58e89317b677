//! Media accounts: how many uploads and media a user has, and how many bytes of them. Only decisions about media write here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidemark_events::media::media_account::Event;
use tidemark_events::{MediaAccountId, MediaId, Moment, Stored, Timestamp, UserId};

use crate::decision::refusals;
use crate::{AggregateState, Code, Reason, Refusal, RefusalKind, Stop, View, Write};

/// Why a user may upload no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user would have more bytes than a user may have.
    #[error(
        "you have {used} bytes of media, and may have {max}; {deleted} of them were deleted, and count until they are removed"
    )]
    Full {
        /// What the user has.
        used: i64,
        /// What a user may have.
        max: i64,
        /// How much of what the user has was deleted, and is still to be removed.
        deleted: i64,
        /// When the first of that is removed; none if nothing was deleted.
        removed_at: Option<Timestamp>,
    },
    /// Too many uploads of the user are not over.
    #[error("you have {0} uploads that are not complete, and no more may be")]
    TooManyUploads(u32),
    /// The user would have more media than a user may have.
    #[error(
        "you have as many media and uploads as you may have, which is {max}; {deleted} of them were deleted, and count until they are removed"
    )]
    TooManyMedia {
        /// How many a user may have.
        max: u32,
        /// How many of them were deleted, and are still to be removed.
        deleted: usize,
        /// When the first of them is removed; none if none was deleted.
        removed_at: Option<Timestamp>,
    },
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::Full { .. } | Self::TooManyUploads(_) | Self::TooManyMedia { .. } => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Full { .. } => Code {
                name: "media_quota_exceeded",
                meaning: "With this upload the caller would have more bytes of media than a user may have. If all of its bytes had arrived, it is over.",
                what_to_do: DELETE,
            },
            Self::TooManyUploads(_) => Code {
                name: "too_many_uploads",
                meaning: "The caller has as many uploads that are not complete as a user may have.",
                what_to_do: "Complete one of them, or abort it: `GET /v1/uploads` of the command API lists them.",
            },
            Self::TooManyMedia { .. } => Code {
                name: "too_many_media",
                meaning: "The caller has as many media and uploads as a user may have.",
                what_to_do: DELETE,
            },
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::Full { removed_at, .. } | Self::TooManyMedia { removed_at, .. } => *removed_at,
            Self::TooManyUploads(_) => None,
        }
    }
}

/// What a user can do who has too much.
const DELETE: &str = "Abort uploads, or delete media that nothing shows. Media count until their bytes are removed, some days after they were deleted; `retry_at` says when the first of those that were deleted are.";

/// How much a user may have.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// In bytes, of uploads and of what is stored.
    pub bytes_max: i64,
    /// Uploads that are not over.
    pub uploads_max: u32,
    /// Uploads that are not over, and media.
    pub media_max: u32,
    /// How many bytes an upload or media count beside their own: what a disk and its folders take for their files, however small.
    pub overhead: i64,
}

/// The state of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaAccount {
    /// The bytes of each upload that is not over.
    uploads: BTreeMap<MediaId, i64>,
    /// The bytes of everything that is stored.
    stored: i64,
    /// How many media are stored.
    media: u32,
    /// Those of them that were deleted, and whose bytes are still to be removed.
    deleted: BTreeMap<MediaId, Deleted>,
}

/// Media that were deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Deleted {
    bytes: i64,
    remove_at: Stored<Moment>,
}

impl MediaAccount {
    /// The uploads that are not over, in the order in which they were opened.
    pub fn uploads(&self) -> impl Iterator<Item = MediaId> {
        self.uploads.keys().copied()
    }

    /// How many uploads that are not over, and media, the user has.
    fn count(&self) -> u32 {
        let uploads = u32::try_from(self.uploads.len()).unwrap_or(u32::MAX);
        uploads.saturating_add(self.media)
    }

    fn used(&self, quota: Quota) -> i64 {
        let overhead = quota.overhead.saturating_mul(self.count().into());
        let stored = self.stored.saturating_add(overhead);
        let uploads = self.uploads.values();
        uploads.fold(stored, |sum, bytes| sum.saturating_add(*bytes))
    }

    fn require_room(&self, bytes: i64, quota: Quota) -> Result<(), Error> {
        let (used, max) = (self.used(quota), quota.bytes_max);
        if used.saturating_add(bytes) > max {
            let deleted = self.deleted.values().map(|it| it.bytes);
            return Err(Error::Full {
                used,
                max,
                deleted: deleted.fold(0, i64::saturating_add),
                removed_at: self.removed_at(),
            });
        }
        Ok(())
    }

    /// When the first of what was deleted is removed.
    fn removed_at(&self) -> Option<Timestamp> {
        self.deleted.values().map(|it| *it.remove_at).min()
    }
}

impl AggregateState for MediaAccount {
    type Event = Event;

    const NONE: &'static Self = &Self {
        uploads: BTreeMap::new(),
        stored: 0,
        media: 0,
        deleted: BTreeMap::new(),
    };
    const STATE_VERSION: i16 = 3;

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::Reserved {
                media_id, bytes, ..
            } => {
                self.uploads.insert(*media_id, *bytes);
            }
            Event::Settled {
                media_id, bytes, ..
            } => {
                self.uploads.remove(media_id);
                self.stored = self.stored.saturating_add(*bytes);
                self.media = self.media.saturating_add(1);
            }
            Event::MediaDeleted {
                media_id,
                bytes,
                remove_at,
                ..
            } => {
                let deleted = Deleted {
                    bytes: *bytes,
                    remove_at: *remove_at,
                };
                self.deleted.insert(*media_id, deleted);
            }
            Event::Released {
                media_id, bytes, ..
            } => {
                self.deleted.remove(media_id);
                if self.uploads.remove(media_id).is_none() {
                    self.stored = self.stored.saturating_sub(*bytes);
                    self.media = self.media.saturating_sub(1);
                }
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        self.uploads.len() * size_of::<(MediaId, i64)>()
            + self.deleted.len() * size_of::<(MediaId, Deleted)>()
    }
}

/// The write by which the bytes of an upload count from now on, if the user may have them.
pub(super) fn reserve(
    view: &View<'_>,
    user_id: UserId,
    media_id: MediaId,
    bytes: i64,
    quota: Quota,
) -> Result<Write, Stop> {
    let id = MediaAccountId::of(user_id);
    let account = view.get::<MediaAccount>(id.0)?;
    if account.uploads.len() >= quota.uploads_max as usize {
        return Err(Error::TooManyUploads(quota.uploads_max).into());
    }
    if account.count() >= quota.media_max {
        return Err(Error::TooManyMedia {
            max: quota.media_max,
            deleted: account.deleted.len(),
            removed_at: account.removed_at(),
        }
        .into());
    }
    account.require_room(bytes.saturating_add(quota.overhead), quota)?;
    let event = Event::Reserved {
        media_account_id: id,
        user_id,
        media_id,
        bytes,
    };
    Ok(Write::event(id.0, event))
}

/// How [`reserve`] refuses.
pub(super) fn refusals_of_reserving() -> Vec<Refusal> {
    let too_many = Error::TooManyMedia {
        max: 0,
        deleted: 0,
        removed_at: None,
    };
    refusals([full(), Error::TooManyUploads(0), too_many])
}

const fn full() -> Error {
    Error::Full {
        used: 0,
        max: 0,
        deleted: 0,
        removed_at: None,
    }
}

/// The write by which what is stored counts in place of the upload, if the user may have that: it may have more bytes than
/// were uploaded.
pub(super) fn settle(
    view: &View<'_>,
    user_id: UserId,
    media_id: MediaId,
    bytes: i64,
    quota: Quota,
) -> Result<Write, Stop> {
    let account = view.get::<MediaAccount>(MediaAccountId::of(user_id).0)?;
    let reserved = account.uploads.get(&media_id).copied().unwrap_or_default();
    account.require_room(bytes.saturating_sub(reserved), quota)?;
    write(view, user_id, |media_account_id| Event::Settled {
        media_account_id,
        user_id,
        media_id,
        bytes,
    })
}

/// How [`settle`] refuses.
pub(super) fn refusals_of_settling() -> Vec<Refusal> {
    refusals([full()])
}

/// The write by which what is stored counts only until its bytes are removed.
pub(super) fn delete(
    view: &View<'_>,
    user_id: UserId,
    media_id: MediaId,
    bytes: i64,
    remove_at: Stored<Moment>,
) -> Result<Write, Stop> {
    write(view, user_id, |media_account_id| Event::MediaDeleted {
        media_account_id,
        user_id,
        media_id,
        bytes,
        remove_at,
    })
}

/// The write by which what was deleted counts no longer, now that its bytes are removed. There is none of an upload that came to
/// nothing, nor of media that were deleted when these ceased to count at once.
pub(super) fn release_deleted(
    view: &View<'_>,
    user_id: UserId,
    media_id: MediaId,
) -> Result<Option<Write>, Stop> {
    let account = view.get::<MediaAccount>(MediaAccountId::of(user_id).0)?;
    match account.deleted.get(&media_id) {
        Some(deleted) => release(view, user_id, media_id, deleted.bytes).map(Some),
        None => Ok(None),
    }
}

/// The write by which an upload, or what was stored, counts no longer.
pub(super) fn release(
    view: &View<'_>,
    user_id: UserId,
    media_id: MediaId,
    bytes: i64,
) -> Result<Write, Stop> {
    write(view, user_id, |media_account_id| Event::Released {
        media_account_id,
        user_id,
        media_id,
        bytes,
    })
}

/// A write to the account of a user, which is read first, so that two of them conflict.
fn write(
    view: &View<'_>,
    user_id: UserId,
    event: impl FnOnce(MediaAccountId) -> Event,
) -> Result<Write, Stop> {
    let id = MediaAccountId::of(user_id);
    view.get::<MediaAccount>(id.0)?;
    Ok(Write::event(id.0, event(id)))
}

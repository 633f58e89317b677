//! Events of media: from the upload of a file until its bytes are removed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{EventField, Line, Moment, Stored, UserId};

id! {
    /// The id of media, which they have from the beginning of their upload on.
    MediaId
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub type Sha256 = Line<64>;

/// What media are for, which decides on how large they may be, and who sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MediaPurpose, example = "product_picture")]
pub enum Purpose {
    /// A picture of a product, which everybody sees.
    ProductPicture,
    /// The picture of a category, which everybody sees.
    CategoryPicture,
    /// The picture of a user, which everybody sees once the user shows it. It is about a person, so it is sealed.
    Avatar,
}

impl EventField for Purpose {}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::ProductPicture, Self::CategoryPicture, Self::Avatar];

    /// The name, as in requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProductPicture => "product_picture",
            Self::CategoryPicture => "category_picture",
            Self::Avatar => "avatar",
        }
    }

    /// Whether such media are about a person, their owner, and so sealed under a key of that person.
    #[must_use]
    pub const fn is_personal(self) -> bool {
        match self {
            Self::Avatar => true,
            Self::ProductPicture | Self::CategoryPicture => false,
        }
    }
}

/// The format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PictureType, example = "image/jpeg")]
pub enum PictureType {
    /// PNG, which keeps every pixel as it is.
    #[serde(rename = "image/png")]
    Png,
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// WebP. Pictures are taken in this format, and stored in one of the others.
    #[serde(rename = "image/webp")]
    Webp,
}

impl EventField for PictureType {}

impl PictureType {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Png, Self::Jpeg, Self::Webp];

    /// The media type, as in `Content-Type`.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
        }
    }

    /// The format with this media type.
    #[must_use]
    pub fn of(media_type: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.media_type() == media_type)
    }
}

/// In which size a picture is kept. Clients choose among these, so that nobody can ask for one that costs much to make.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[schema(as = PictureVariant, example = "within_320")]
pub enum Variant {
    /// As it was uploaded.
    #[serde(rename = "full")]
    Full,
    /// A square of 32 pixels at most, cut out of the middle.
    #[serde(rename = "square_32")]
    Square32,
    /// A square of 96 pixels at most, cut out of the middle.
    #[serde(rename = "square_96")]
    Square96,
    /// The whole picture, within 320 × 240 pixels.
    #[serde(rename = "within_320")]
    Within320,
    /// The whole picture, within 640 × 480 pixels.
    #[serde(rename = "within_640")]
    Within640,
    /// The whole picture, within 800 × 600 pixels.
    #[serde(rename = "within_800")]
    Within800,
}

impl EventField for Variant {}

impl Variant {
    /// Every size.
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::Square32,
        Self::Square96,
        Self::Within320,
        Self::Within640,
        Self::Within800,
    ];

    /// The name, as in URLs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Square32 => "square_32",
            Self::Square96 => "square_96",
            Self::Within320 => "within_320",
            Self::Within640 => "within_640",
            Self::Within800 => "within_800",
        }
    }

    /// The name under which the file of this variant of personal media is sealed, so that no other opens in its place.
    #[must_use]
    pub fn sealed_as(self, media_id: MediaId) -> String {
        format!("media/{media_id}/{}", self.name())
    }
}

event_field! {
    /// A picture in one of its sizes.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct StoredVariant {
        /// Which one it is.
        pub variant: Variant,
        /// Its format.
        pub picture_type: PictureType,
        /// Its width in pixels.
        pub width: u32,
        /// Its height in pixels.
        pub height: u32,
        /// How many bytes it has.
        pub bytes: i64,
        /// The SHA-256 of them as they are stored: of personal media, sealed.
        pub sha256: Stored<Sha256>,
    }
}

/// Why an upload came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UploadEnd, example = "expired")]
pub enum EndReason {
    /// What arrived was no picture that is taken, or has more bytes as it is kept than its user may have, or the store has lost some
    /// of it.
    Rejected,
    /// The user gave it up.
    Aborted,
    /// It was not complete in time.
    Expired,
}

impl EventField for EndReason {}

event_field! {
    /// What shows media.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum ShownBy {
        /// A product.
        Product {
            /// Its id.
            id: Uuid,
        },
        /// A category.
        Category {
            /// Its id.
            id: Uuid,
        },
        /// A user.
        User {
            /// Its id.
            id: Uuid,
        },
    }
}

events! {
    /// The events of media.
    pub enum Event {
        /// A user began to upload a file.
        #[serde(rename = "media.upload_opened")]
        UploadOpened {
            /// The media.
            media_id: MediaId,
            /// The user whose file it is.
            owner_id: UserId,
            /// What it is for.
            purpose: Purpose,
            /// Its format, as the user stated it; none if it is to be found out.
            picture_type: Option<PictureType>,
            /// How many bytes are to come.
            bytes: i64,
            /// The upload must be complete before this.
            expires_at: Stored<Moment>,
        },
        /// The upload came to nothing.
        #[serde(rename = "media.upload_ended")]
        UploadEnded {
            /// The media.
            media_id: MediaId,
            /// The user whose file it was.
            owner_id: UserId,
            /// Why.
            reason: EndReason,
        },
        /// The file was complete, found to be a picture, and written in all its sizes.
        #[serde(rename = "media.stored")]
        MediaStored {
            /// The media.
            media_id: MediaId,
            /// The user whose file it is.
            owner_id: UserId,
            /// What it is for.
            purpose: Purpose,
            /// The SHA-256 of what was uploaded; none of personal media, which could be recognised by it.
            uploaded_sha256: Option<Stored<Sha256>>,
            /// The sizes in which it is kept, the full one first.
            variants: Vec<StoredVariant>,
            /// It is deleted then, unless something shows it by that time.
            unshown_until: Stored<Moment>,
        },
        /// Something shows it from now on.
        #[serde(rename = "media.attached")]
        Attached {
            /// The media.
            media_id: MediaId,
            /// The user whose file it is.
            owner_id: UserId,
            /// What shows it.
            shown_by: ShownBy,
        },
        /// What showed it does so no longer.
        #[serde(rename = "media.detached")]
        Detached {
            /// The media.
            media_id: MediaId,
            /// The user whose file it is.
            owner_id: UserId,
            /// What showed it.
            shown_by: ShownBy,
            /// It is deleted then, unless something shows it by that time.
            unshown_until: Stored<Moment>,
        },
        /// Nobody sees it any more, for ever.
        #[serde(rename = "media.deleted")]
        Deleted {
            /// The media.
            media_id: MediaId,
            /// The user whose file it was.
            owner_id: UserId,
            /// Its bytes are removed then.
            remove_at: Stored<Moment>,
        },
        /// Its bytes were removed from the store.
        #[serde(rename = "media.removed")]
        Removed {
            /// The media.
            media_id: MediaId,
            /// The user whose file it was.
            owner_id: UserId,
        },
    }
}

/// A sample of each event.
#[cfg(any(test, feature = "samples"))]
pub(crate) fn samples() -> Vec<Event> {
    use crate::samples::{MEDIA, PRODUCT, SELLER, moment, stored};

    let variant = |variant, width, height, bytes| StoredVariant {
        variant,
        picture_type: PictureType::Jpeg,
        width,
        height,
        bytes,
        sha256: stored(&"5a".repeat(32)),
    };
    let shown_by = ShownBy::Product { id: PRODUCT.0 };
    vec![
        Event::UploadOpened {
            media_id: MEDIA,
            owner_id: SELLER,
            purpose: Purpose::ProductPicture,
            picture_type: Some(PictureType::Jpeg),
            bytes: 150_000,
            expires_at: moment(86_400).into(),
        },
        Event::UploadEnded {
            media_id: MEDIA,
            owner_id: SELLER,
            reason: EndReason::Expired,
        },
        Event::MediaStored {
            media_id: MEDIA,
            owner_id: SELLER,
            purpose: Purpose::ProductPicture,
            uploaded_sha256: Some(stored(&"a5".repeat(32))),
            variants: vec![
                variant(Variant::Full, 1_200, 900, 118_000),
                variant(Variant::Square32, 32, 32, 2_000),
            ],
            unshown_until: moment(172_800).into(),
        },
        Event::Attached {
            media_id: MEDIA,
            owner_id: SELLER,
            shown_by,
        },
        Event::Detached {
            media_id: MEDIA,
            owner_id: SELLER,
            shown_by,
            unshown_until: moment(259_200).into(),
        },
        Event::Deleted {
            media_id: MEDIA,
            owner_id: SELLER,
            remove_at: moment(864_000).into(),
        },
        Event::Removed {
            media_id: MEDIA,
            owner_id: SELLER,
        },
    ]
}

//! The reasons for which commands on media are refused.

use tidemark_events::Timestamp;
use tidemark_events::media::media::ShownBy;

use crate::{Code, Reason, RefusalKind};

/// Why a command on media is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The caller has no media with that id.
    #[error("you have no such media")]
    NotFound,
    /// The upload is complete, or came to nothing.
    #[error("the upload is over")]
    UploadOver,
    /// Nothing is stored: the upload is not complete, or the media were deleted.
    #[error("the media are not stored, or not any more")]
    NotStored,
    /// The media are for something else.
    #[error("the media were uploaded for something else")]
    OtherPurpose,
    /// Something shows the media.
    #[error("{} shows the media", name(*.0))]
    Shown(ShownBy),
    /// The media are not to be deleted by this timer: something shows them, or did since.
    #[error("the media are kept")]
    Kept,
    /// What was to be removed was removed.
    #[error("the bytes were removed")]
    Removed,
    /// This may be done at this time at the earliest.
    #[error("this is not due before {0}")]
    NotDue(Timestamp),
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::OtherPurpose => RefusalKind::Invalid,
            Self::UploadOver => RefusalKind::Gone,
            Self::NotStored | Self::Shown(_) | Self::Kept | Self::Removed | Self::NotDue(_) => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => code(
                "media_not_found",
                "The caller has no media with this id.",
                "Check the id.",
            ),
            Self::UploadOver => code(
                "upload_over",
                "The upload is complete, was aborted or rejected, or has expired.",
                "Begin another upload, unless it is complete.",
            ),
            Self::NotStored => code(
                "media_not_stored",
                "The upload of the media is not complete, or they were deleted.",
                "Complete the upload, or upload the file again.",
            ),
            Self::OtherPurpose => code(
                "media_of_other_purpose",
                "The media were uploaded for something else, which decides on how large they may be and who sees them.",
                "Upload the file again with the purpose that this asks for.",
            ),
            Self::Shown(_) => code(
                "media_shown",
                "Something shows the media already, and only one thing can.",
                "Choose others or none for what `detail` names, be it a product that was withdrawn or sold, or upload the file again.",
            ),
            Self::Kept => code(
                "media_kept",
                "Something shows the media, or did so after this timer was set.",
                "Nothing: they are kept.",
            ),
            Self::Removed => code(
                "media_removed",
                "The bytes of the media were removed from the store.",
                "Nothing: it is done.",
            ),
            Self::NotDue(_) => code(
                "not_due",
                "A timer came before the moment at which this may be done.",
                "Send it again at `retry_at`.",
            ),
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        if let Self::NotDue(at) = self {
            Some(*at)
        } else {
            None
        }
    }
}

/// What shows media, as people read it.
fn name(shown_by: ShownBy) -> String {
    match shown_by {
        ShownBy::Product { id } => format!("the product {id}"),
        ShownBy::Category { id } => format!("the category {id}"),
        ShownBy::User { id } => format!("the user {id}"),
    }
}

const fn code(name: &'static str, meaning: &'static str, what_to_do: &'static str) -> Code {
    Code {
        name,
        meaning,
        what_to_do,
    }
}

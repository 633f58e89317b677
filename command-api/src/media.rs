//! Receives what users upload, looks at it, and keeps it. What it is kept as is decided in `domain`, as everything is.

mod inspection;
mod inspector;
mod parts;
mod problems;
mod receiving;
mod resuming;
mod spending;
mod storing;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tidemark_domain::media::media::Periods;
use tidemark_domain::media::media_account::Quota;
use tidemark_events::media::media::{PictureType, Purpose, Variant};
use tidemark_platform::config;
use tidemark_platform::fair_semaphore::FairSemaphore;
use tidemark_platform::http::{Problem, without_parameters};
use tidemark_platform::media_store::MediaStore;

pub use self::inspection::process::{Inspection, inspect_picture};
pub use self::parts::Upload;
pub(crate) use self::problems::{
    empty, invalid_header, length_required, lost, not_encoded, not_kept, problems,
    problems_of_resumed, too_large, unavailable, unsupported_type, unsupported_type_of_bytes,
    wrong_offset,
};
pub use self::receiving::Receiving;
pub use self::resuming::{Checksum, Progress};
pub use self::storing::Unstored;

use self::inspector::Inspector;
use self::spending::Spending;
use crate::admission::{Admission, Share};

/// The media type of files of any kind.
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// What uploads share in a process.
#[derive(Clone)]
pub struct Media {
    store: MediaStore,
    settings: config::Media,
    receiving: Arc<Admission>,
    /// Few pictures are looked at at a time: each takes a core, and much memory.
    inspections: Arc<FairSemaphore<Share>>,
    inspector: Arc<Inspector>,
    /// How long those of each user were looked at.
    spending: Arc<Spending>,
}

impl Media {
    /// Uploads that are kept in this store, within the limits of the settings.
    #[must_use]
    pub fn new(store: MediaStore, settings: config::Media) -> Self {
        let receiving = Admission::new(
            "tidemark_uploads",
            settings.receiving_max,
            settings.receiving_per_user_max,
        );
        let per_user = Duration::from_millis(settings.inspection_per_user_ms);
        Self {
            store,
            receiving: Arc::new(receiving),
            inspections: Arc::new(FairSemaphore::new(settings.inspections_max)),
            inspector: Arc::new(Inspector::new(&settings)),
            spending: Arc::new(Spending::new(per_user)),
            settings,
        }
    }
}

/// The most bytes that may be uploaded for this.
#[must_use]
pub const fn bytes_max(settings: &config::Media, purpose: Purpose) -> i64 {
    match purpose {
        Purpose::ProductPicture => settings.product_picture_bytes_max,
        Purpose::CategoryPicture => settings.category_picture_bytes_max,
        Purpose::Avatar => settings.avatar_bytes_max,
    }
}

/// The most bytes that may be uploaded for anything.
#[must_use]
pub fn largest_bytes_max(settings: &config::Media) -> i64 {
    let all = Purpose::ALL.map(|purpose| bytes_max(settings, purpose));
    all.into_iter().fold(0, i64::max)
}

/// The type of a picture with this media type; none if that says only that it is a file.
///
/// # Errors
/// 415 if it is a type that is not taken.
pub fn picture_type(media_type: &str) -> Result<Option<PictureType>, Problem> {
    let media_type = without_parameters(media_type).to_ascii_lowercase();
    if media_type == UNKNOWN_TYPE {
        return Ok(None);
    }
    match PictureType::of(&media_type) {
        Some(picture_type) => Ok(Some(picture_type)),
        None => Err(unsupported_type()),
    }
}

/// How much a user may have.
#[must_use]
pub fn quota(settings: &config::Media) -> Quota {
    let overheads = Variant::ALL.map(|_| settings.file_overhead_bytes);
    Quota {
        bytes_max: settings.per_user_bytes_max,
        uploads_max: settings.uploads_per_user_max,
        media_max: settings.per_user_max,
        overhead: overheads.iter().sum(),
    }
}

/// How long media are kept.
#[must_use]
pub const fn periods(settings: &config::Media) -> Periods {
    Periods {
        upload: TimeDelta::seconds(settings.upload_s),
        unshown: TimeDelta::seconds(settings.unshown_s),
        removal: TimeDelta::seconds(settings.removal_s),
    }
}

//! Section `[media]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most_a_quarter, positive};
use super::list;
use super::list::PAUSES_MAX;

/// What users may upload, how it is received, and for how long it is kept.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Media {
    #[garde(custom(is_place))]
    pub place: String,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub product_picture_bytes_max: i64,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub category_picture_bytes_max: i64,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub avatar_bytes_max: i64,
    #[garde(range(min = 1, max = 1_000_000_000_000_000))]
    pub per_user_bytes_max: i64,
    #[garde(range(min = 1, max = 1_000))]
    pub uploads_per_user_max: u32,
    #[garde(range(min = 1, max = 1_000_000))]
    pub per_user_max: u32,
    #[garde(range(min = 0, max = 1_048_576))]
    pub file_overhead_bytes: i64,
    #[garde(range(min = 1, max = 31_536_000))]
    pub upload_s: i64,
    #[garde(range(min = 1, max = 31_536_000))]
    pub unshown_s: i64,
    #[garde(range(max = 31_536_000))]
    pub removal_s: i64,
    #[serde(deserialize_with = "list::deserialize")]
    #[garde(length(min = 1, max = PAUSES_MAX))]
    pub removal_pauses_ms: Vec<u32>,
    #[garde(range(min = 65_536, max = 67_108_864))]
    pub part_bytes: usize,
    #[garde(range(min = 1, max = 10_000))]
    pub parts_per_upload_max: u64,
    #[garde(range(min = 1, max = 10_000))]
    pub receiving_max: usize,
    #[garde(range(min = 1, max = 10_000))]
    pub receiving_per_user_max: usize,
    #[garde(custom(positive))]
    pub silence_ms: u64,
    #[garde(custom(positive))]
    pub request_ms: u64,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub rate_min: u64,
    #[garde(range(min = 1, max = 268_435_456))]
    pub pixels_max: u32,
    #[garde(range(min = 1, max = 65_535))]
    pub side_max: u32,
    #[garde(range(min = 1, max = 1_000_000_000_000))]
    pub scanned_pixels_max: u64,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub stored_bytes_max: usize,
    #[garde(custom(positive))]
    pub inspection_wait_ms: u64,
    #[garde(custom(positive))]
    pub inspection_ms: u64,
    #[garde(range(min = 1, max = 1_000))]
    pub inspections_max: usize,
    #[garde(range(min = 1, max = 3_600))]
    pub inspection_cpu_s: u64,
    #[garde(range(min = 33_554_432, max = 68_719_476_736))]
    pub inspection_bytes_max: u64,
    pub inspector: String,
    #[garde(custom(positive))]
    pub inspection_per_user_ms: u64,
    #[garde(custom(positive))]
    pub store_timeout_ms: u64,
    #[garde(range(min = 1, max = 256))]
    pub folder_operations_max: usize,
    pub cached_s: u32,
    #[garde(range(min = 1, max = 1_000))]
    pub compared_ranges_max: usize,
    #[garde(range(min = 4, max = 1_000_000))]
    pub downloads_max: usize,
    #[garde(
        custom(positive),
        custom(at_most_a_quarter("media.downloads_max", self.downloads_max))
    )]
    pub downloads_per_address_max: usize,
    #[garde(range(min = 1, max = 1_073_741_824))]
    pub download_rate_min: u64,
    #[garde(range(min = 1, max = 300))]
    pub link_s: i64,
}

/// The setting must be empty, an absolute path, or the name of a bucket with a prefix.
fn is_place<C>(place: &str, _context: &C) -> garde::Result {
    let is_bucket = crate::object_store::bucket_and_prefix(place).is_some();
    if place.is_empty() || place.starts_with('/') || is_bucket {
        return Ok(());
    }
    let text = "must be an absolute path, or have the form s3://BUCKET/PREFIX";
    Err(garde::Error::new(text))
}

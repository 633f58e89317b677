//! Looks at pictures that somebody has uploaded, and writes them anew in all sizes. What is not decoded is refused, and nothing of
//! a file is kept but its pixels: no metadata, such as the place where a photo was taken, and nothing that comes after the end.
//!
//! Decoders are written by others, and their bounds do not hold for every file. So each picture is looked at in a process of its own,
//! which the operating system bounds: see [`process`]. What is here runs in that process.

pub(super) mod answer;
pub(super) mod bounds;
mod jpeg;
pub(super) mod process;
mod turning;
mod webp;
mod writing;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Cursor, Seek};
use std::panic::catch_unwind;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};
use tidemark_events::media::media::{PictureType, Variant};
use tidemark_platform::config;

/// The most bytes of what a file says beside its pixels, such as the profile of its colours, once it is unpacked.
const METADATA_BYTES_MAX: u64 = 4 << 20;

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It begins as no file of this format does.
    #[error("the file is not of the type {0}")]
    OtherType(&'static str),
    /// It begins as no file does of a format that is taken.
    #[error("the file is of none of the types image/jpeg, image/png and image/webp")]
    UnknownType,
    /// It has too many pixels, or is too long or too high.
    #[error("the picture has {width} × {height} pixels, which is more than {max}")]
    TooLarge {
        width: u32,
        height: u32,
        max: String,
    },
    /// The decoder would go over it too often.
    #[error("the picture comes in {0} scans, which is too many for its size")]
    TooManyScans(u64),
    /// It would have too many bytes as it is written anew.
    #[error("the picture has more than {0} bytes when it is written anew")]
    TooManyBytes(usize),
    /// It cannot be decoded. What the decoder says of it is for developers of decoders.
    #[error("the picture is broken, or of a kind that cannot be read")]
    Broken,
}

impl From<ImageError> for Error {
    fn from(_: ImageError) -> Self {
        Self::Broken
    }
}

/// A picture in one of its sizes.
pub(super) struct Written {
    pub(super) variant: Variant,
    pub(super) picture_type: PictureType,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: Vec<u8>,
}

/// How large a picture may be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Size {
    pub(super) pixels_max: u32,
    pub(super) side_max: u32,
    /// The most pixels that the decoder goes over, in all scans of a picture together.
    pub(super) scanned_pixels_max: u64,
    /// The most bytes of each size, as it is written anew.
    pub(super) written_bytes: usize,
}

impl Size {
    pub(super) const fn of(settings: &config::Media) -> Self {
        Self {
            pixels_max: settings.pixels_max,
            side_max: settings.side_max,
            scanned_pixels_max: settings.scanned_pixels_max,
            written_bytes: settings.stored_bytes_max,
        }
    }

    fn check(self, width: u32, height: u32) -> Result<(), Error> {
        let Self {
            pixels_max,
            side_max,
            scanned_pixels_max: _,
            written_bytes: _,
        } = self;
        let max = if width > side_max || height > side_max {
            format!("{side_max} on a side")
        } else if u64::from(width) * u64::from(height) > u64::from(pixels_max) {
            format!("{pixels_max} in all")
        } else {
            return Ok(());
        };
        Err(Error::TooLarge { width, height, max })
    }
}

/// Looks at a file, and writes it in all sizes, the full one first. What is said to have a type must have it. A decoder that panics
/// is one that does not take the file.
fn inspect(file: Vec<u8>, stated: Option<PictureType>, size: Size) -> Result<Vec<Written>, Error> {
    let inspecting = catch_unwind(|| {
        let picture_type = detect(&file, stated)?;
        let picture = decode(file, picture_type, size)?;
        writing::write_all(picture, picture_type, size)
    });
    inspecting.unwrap_or(Err(Error::Broken))
}

/// The type of a file, by how it begins.
fn detect(file: &[u8], stated: Option<PictureType>) -> Result<PictureType, Error> {
    let found = image::guess_format(file).ok();
    let mut taken = PictureType::ALL.into_iter();
    let detected = taken.find(|it| found == Some(format(*it)));
    match (stated, detected) {
        (Some(stated), detected) if detected != Some(stated) => {
            Err(Error::OtherType(stated.media_type()))
        }
        (_, detected) => detected.ok_or(Error::UnknownType),
    }
}

fn decode(file: Vec<u8>, picture_type: PictureType, size: Size) -> Result<DynamicImage, Error> {
    if picture_type == PictureType::Webp && !webp::has_whole_chunks(&file) {
        return Err(Error::Broken);
    }
    // The header says how large the picture is, before anything is decoded.
    let (width, height) = reader(&*file, picture_type).into_dimensions()?;
    size.check(width, height)?;
    if picture_type == PictureType::Jpeg {
        let scans = jpeg::scans(&file, width, height);
        if scans * u64::from(width) * u64::from(height) > size.scanned_pixels_max {
            return Err(Error::TooManyScans(scans));
        }
    }
    // Nobody else keeps the file, so that it is gone once it is decoded.
    let mut decoder = reader(file, picture_type).into_decoder()?;
    let orientation = decoder.orientation()?;
    let picture = DynamicImage::from_decoder(decoder)?;
    let plain = if picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else {
        picture.into_rgb8().into()
    };
    turning::turn(plain, orientation)
}

/// Reads a file, and little of it but its pixels.
fn reader<T: AsRef<[u8]>>(file: T, picture_type: PictureType) -> ImageReader<impl BufRead + Seek> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(METADATA_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(file), format(picture_type));
    reader.limits(limits);
    reader
}

const fn format(picture_type: PictureType) -> ImageFormat {
    match picture_type {
        PictureType::Png => ImageFormat::Png,
        PictureType::Jpeg => ImageFormat::Jpeg,
        PictureType::Webp => ImageFormat::WebP,
    }
}

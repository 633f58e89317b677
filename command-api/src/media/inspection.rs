//! Looks at pictures that somebody has uploaded, and writes them anew in all sizes. What is not decoded is refused, and nothing of
//! a file is kept but its pixels: no metadata, such as the place where a photo was taken, and nothing that comes after the end.

mod bounds;
mod jpeg;
mod memory;
mod turning;
mod writing;

#[cfg(test)]
mod tests;

use std::io::{BufRead, Cursor, ErrorKind, Seek};
use std::panic::catch_unwind;
use std::time::Instant;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tidemark_events::media::media::{PictureType, Variant};
use tidemark_platform::config;

use self::bounds::Timed;
use self::memory::Decoding;

/// How many bytes a pixel takes at most while a picture is looked at.
const PIXEL_BYTES: u64 = 4;
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
    /// It takes too long.
    #[error("the picture takes too long")]
    TooSlow,
    /// It would have too many bytes as it is written anew.
    #[error("the picture has more than {0} bytes when it is written anew")]
    TooManyBytes(usize),
    /// It cannot be decoded. What the decoder says of it is for developers of decoders.
    #[error("the picture is broken, or of a kind that cannot be read")]
    Broken,
}

impl From<ImageError> for Error {
    fn from(error: ImageError) -> Self {
        if let ImageError::IoError(error) = &error
            && error.kind() == ErrorKind::TimedOut
        {
            return Self::TooSlow;
        }
        tracing::debug!(%error, "a picture cannot be decoded");
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
#[derive(Clone, Copy, Debug)]
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

    fn decoded_bytes_max(self) -> u64 {
        u64::from(self.pixels_max) * PIXEL_BYTES
    }
}

/// Looks at a file, and writes it in all sizes, the full one first, or gives up at the time `until`. What is said to have a type
/// must have it. A decoder that panics is one that does not take the file.
pub(super) fn inspect(
    file: Vec<u8>,
    stated: Option<PictureType>,
    size: Size,
    until: Instant,
) -> Result<Vec<Written>, Error> {
    let inspecting = catch_unwind(|| {
        let picture_type = detect(&file, stated)?;
        let picture = decode(file, picture_type, size, until)?;
        writing::write_all(picture, picture_type, size, until)
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

fn decode(
    file: Vec<u8>,
    picture_type: PictureType,
    size: Size,
    until: Instant,
) -> Result<DynamicImage, Error> {
    let mut decoder = reader(&*file, picture_type, until).into_decoder()?;
    let (width, height) = decoder.dimensions();
    // The header says how large the picture is, before anything is decoded.
    size.check(width, height)?;
    let pixels = u64::from(width) * u64::from(height);
    let cost = match picture_type {
        PictureType::Jpeg => Some(jpeg::cost(&file, width, height)),
        PictureType::Png | PictureType::Webp => None,
    };
    if let Some(scans) = cost.map(|it| it.scans)
        && scans * pixels > size.scanned_pixels_max
    {
        return Err(Error::TooManyScans(scans));
    }
    let orientation = decoder.orientation()?;
    let color = decoder.color_type();
    drop(decoder);
    let beside = match cost {
        Some(cost) => cost.bytes,
        None if picture_type == PictureType::Webp => memory::beside_webp(&file, pixels, color),
        None => 0,
    };
    let decoding = Decoding {
        pixels,
        color,
        beside,
        is_turned: turning::is_turned(orientation),
    };
    if decoding.bytes() > size.decoded_bytes_max() {
        let max = format!("{} bytes while it is decoded", size.decoded_bytes_max());
        return Err(Error::TooLarge { width, height, max });
    }
    // Nobody else keeps the file, so that it is gone once it is decoded.
    let decoder = reader(file, picture_type, until).into_decoder()?;
    let picture = DynamicImage::from_decoder(decoder)?;
    let plain = if picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else {
        picture.into_rgb8().into()
    };
    turning::turn(plain, orientation)
}

/// Reads a file until a time, and little of it but its pixels.
fn reader<T: AsRef<[u8]>>(
    file: T,
    picture_type: PictureType,
    until: Instant,
) -> ImageReader<impl BufRead + Seek> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(METADATA_BYTES_MAX);
    let file = Timed::new(Cursor::new(file), until);
    let mut reader = ImageReader::with_format(file, format(picture_type));
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

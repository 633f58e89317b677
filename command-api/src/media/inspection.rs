//! Looks at pictures that somebody has uploaded, and writes them anew in all sizes. What is not decoded is refused, and nothing of
//! a file is kept but its pixels: no metadata, such as the place where a photo was taken, and nothing that comes after the end.

mod bounds;
#[cfg(test)]
mod tests;

use std::io::{Cursor, ErrorKind};
use std::panic::catch_unwind;
use std::time::Instant;

use fast_image_resize::{ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use tidemark_events::media::media::{PictureType, Variant};
use tidemark_platform::config;

use self::bounds::{Bounded, Timed};

/// The quality of JPEG: fine enough that the eye does not see it on photos, at an eighth of the bytes.
const JPEG_QUALITY: u8 = 85;
/// How many bytes a pixel takes at most while a picture is looked at.
const PIXEL_BYTES: u64 = 4;

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
    /// The most bytes of each size, as it is written anew.
    pub(super) written_bytes: usize,
}

impl Size {
    pub(super) const fn of(settings: &config::Media) -> Self {
        Self {
            pixels_max: settings.pixels_max,
            side_max: settings.side_max,
            written_bytes: settings.stored_bytes_max,
        }
    }

    fn check(self, width: u32, height: u32) -> Result<(), Error> {
        let Self {
            pixels_max,
            side_max,
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
    file: &[u8],
    stated: Option<PictureType>,
    size: Size,
    until: Instant,
) -> Result<Vec<Written>, Error> {
    let inspecting = catch_unwind(|| {
        let picture_type = detect(file, stated)?;
        let picture = decode(file, picture_type, size, until)?;
        write_all(&picture, picture_type, size, until)
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
    file: &[u8],
    picture_type: PictureType,
    size: Size,
    until: Instant,
) -> Result<DynamicImage, Error> {
    let format = format(picture_type);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(size.decoded_bytes_max());
    let mut reader = ImageReader::with_format(Timed::new(Cursor::new(file), until), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // The header says how large the picture is, before anything is decoded.
    let (width, height) = decoder.dimensions();
    size.check(width, height)?;
    if decoder.total_bytes() > size.decoded_bytes_max() {
        let max = format!("{} bytes when it is decoded", size.decoded_bytes_max());
        return Err(Error::TooLarge { width, height, max });
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(if picture.color().has_alpha() {
        picture.into_rgba8().into()
    } else {
        picture.into_rgb8().into()
    })
}

const fn format(picture_type: PictureType) -> ImageFormat {
    match picture_type {
        PictureType::Png => ImageFormat::Png,
        PictureType::Jpeg => ImageFormat::Jpeg,
        PictureType::Webp => ImageFormat::WebP,
    }
}

fn write_all(
    picture: &DynamicImage,
    uploaded: PictureType,
    size: Size,
    until: Instant,
) -> Result<Vec<Written>, Error> {
    let small_type = if picture.color().has_alpha() {
        PictureType::Png
    } else {
        PictureType::Jpeg
    };
    let full_type = match uploaded {
        PictureType::Png => PictureType::Png,
        PictureType::Jpeg | PictureType::Webp => small_type,
    };
    let mut written = vec![write(Variant::Full, picture, full_type, size, until)?];
    for (variant, fit) in [
        (Variant::Square32, Fit::Square(32)),
        (Variant::Square96, Fit::Square(96)),
        (Variant::Within320, Fit::Within(320, 240)),
        (Variant::Within640, Fit::Within(640, 480)),
        (Variant::Within800, Fit::Within(800, 600)),
    ] {
        let smaller = resize(picture, fit)?;
        written.push(write(variant, &smaller, small_type, size, until)?);
    }
    Ok(written)
}

/// How a smaller picture is made.
#[derive(Clone, Copy, Debug)]
enum Fit {
    /// A square of this side, cut out of the middle.
    Square(u32),
    /// The whole picture, of this width and height at most.
    Within(u32, u32),
}

impl Fit {
    /// The width and the height that a picture gets, which are never larger than they were.
    fn size(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Square(side) => {
                let side = side.min(width).min(height);
                (side, side)
            }
            Self::Within(width_max, height_max) if width > width_max || height > height_max => {
                let is_wide = u64::from(width) * u64::from(height_max)
                    > u64::from(height) * u64::from(width_max);
                if is_wide {
                    (width_max, scaled(height, width_max, width))
                } else {
                    (scaled(width, height_max, height), height_max)
                }
            }
            Self::Within(..) => (width, height),
        }
    }
}

/// A side, as long as it is when another one becomes `new` that was `old`.
fn scaled(side: u32, new: u32, old: u32) -> u32 {
    let scaled = u64::from(side) * u64::from(new) / u64::from(old.max(1));
    u32::try_from(scaled).unwrap_or(side).max(1)
}

fn resize(picture: &DynamicImage, fit: Fit) -> Result<DynamicImage, Error> {
    let (width, height) = fit.size(picture.width(), picture.height());
    let mut resized = DynamicImage::new(width, height, picture.color());
    // Cut to the sides of the new picture, which for `Within` are the same.
    let options = ResizeOptions::new().fit_into_destination(Some((0.5, 0.5)));
    let resizing = Resizer::new().resize(picture, &mut resized, &options);
    resizing.map_err(|error| {
        tracing::debug!(%error, "a picture cannot be resized");
        Error::Broken
    })?;
    Ok(resized)
}

fn write(
    variant: Variant,
    picture: &DynamicImage,
    picture_type: PictureType,
    size: Size,
    until: Instant,
) -> Result<Written, Error> {
    let mut written = Timed::new(Bounded::new(size.written_bytes), until);
    let encoded = match picture_type {
        PictureType::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut written, JPEG_QUALITY);
            picture.write_with_encoder(encoder)
        }
        PictureType::Png | PictureType::Webp => {
            picture.write_with_encoder(PngEncoder::new(&mut written))
        }
    };
    Ok(Written {
        variant,
        picture_type,
        width: picture.width(),
        height: picture.height(),
        bytes: written.inner.finish(encoded)?,
    })
}

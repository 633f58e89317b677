//! Writes a picture anew, in all sizes.

use std::io;
use std::io::{ErrorKind, Write};

use fast_image_resize::{MulDiv, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageError};
use tidemark_events::media::media::{PictureType, Variant};

use super::{Error, Size, Written};

/// The quality of JPEG: fine enough that the eye does not see it on photos, at an eighth of the bytes.
const JPEG_QUALITY: u8 = 85;
/// How many bytes of a PNG are kept before they are written.
const CHUNK_BYTES: usize = 32_768;

/// Writes a picture in all sizes, the full one first.
pub(super) fn write_all(
    mut picture: DynamicImage,
    uploaded: PictureType,
    size: Size,
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
    let mut written = vec![write(Variant::Full, &picture, full_type, size)?];
    if picture.color().has_alpha() {
        // What is not seen must not colour what is. It is done once and in place, and not with a copy for each size.
        let multiplied = MulDiv::new().multiply_alpha_inplace(&mut picture);
        multiplied.map_err(|_| Error::Broken)?;
    }
    for (variant, fit) in [
        (Variant::Square32, Fit::Square(32)),
        (Variant::Square96, Fit::Square(96)),
        (Variant::Within320, Fit::Within(320, 240)),
        (Variant::Within640, Fit::Within(640, 480)),
        (Variant::Within800, Fit::Within(800, 600)),
    ] {
        let smaller = resize(&picture, fit)?;
        written.push(write(variant, &smaller, small_type, size)?);
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
    let options = options.use_alpha(false);
    let resizing = Resizer::new().resize(picture, &mut resized, &options);
    resizing.map_err(|_| Error::Broken)?;
    if resized.color().has_alpha() {
        let divided = MulDiv::new().divide_alpha_inplace(&mut resized);
        divided.map_err(|_| Error::Broken)?;
    }
    Ok(resized)
}

fn write(
    variant: Variant,
    picture: &DynamicImage,
    picture_type: PictureType,
    size: Size,
) -> Result<Written, Error> {
    let mut written = Bounded::new(size.written_bytes);
    let encoded = match picture_type {
        PictureType::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut written, JPEG_QUALITY);
            picture.write_with_encoder(encoder)
        }
        PictureType::Png | PictureType::Webp => {
            write_png(picture, &mut written).map_err(ImageError::IoError)
        }
    };
    Ok(Written {
        variant,
        picture_type,
        width: picture.width(),
        height: picture.height(),
        bytes: written.finish(encoded)?,
    })
}

/// Writes a picture as PNG, piece by piece. [`image::codecs::png`] makes all of it in memory first, so that no bound is met before.
fn write_png(picture: &DynamicImage, written: impl Write) -> io::Result<()> {
    let mut encoder = png::Encoder::new(written, picture.width(), picture.height());
    encoder.set_color(if picture.color().has_alpha() {
        png::ColorType::Rgba
    } else {
        png::ColorType::Rgb
    });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    let mut writer = encoder.write_header()?;
    let mut pixels = writer.stream_writer_with_size(CHUNK_BYTES)?;
    pixels.write_all(picture.as_bytes())?;
    pixels.finish()?;
    Ok(writer.finish()?)
}

/// Takes so many bytes, and no more.
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Bounded {
    const fn new(bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            bytes_max,
            is_full: false,
        }
    }

    /// What an encoder wrote that ended so.
    fn finish(self, encoded: Result<(), ImageError>) -> Result<Vec<u8>, Error> {
        if self.is_full {
            return Err(Error::TooManyBytes(self.bytes_max));
        }
        encoded?;
        Ok(self.bytes)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            self.is_full = true;
            return Err(ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

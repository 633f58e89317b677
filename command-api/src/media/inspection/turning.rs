//! Turns pictures as they are to be seen, without a copy of the whole.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};

use super::Error;

/// Whether rows become columns.
const fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Turns and flips a picture as its orientation says.
pub(super) fn turn(picture: DynamicImage, orientation: Orientation) -> Result<DynamicImage, Error> {
    if !is_turned(orientation) {
        let mut picture = picture;
        // This is done in place.
        picture.apply_orientation(orientation);
        return Ok(picture);
    }
    let (width, height) = (picture.width(), picture.height());
    let has_alpha = picture.color().has_alpha();
    let mut turned = if has_alpha {
        let bytes = swap::<4>(picture.into_rgba8().into_raw(), width, height);
        RgbaImage::from_raw(height, width, bytes).map(DynamicImage::from)
    } else {
        let bytes = swap::<3>(picture.into_rgb8().into_raw(), width, height);
        RgbImage::from_raw(height, width, bytes).map(DynamicImage::from)
    }
    .ok_or(Error::Broken)?;
    // Rows have become columns, so what is left are flips.
    if matches!(
        orientation,
        Orientation::Rotate90 | Orientation::Rotate270FlipH
    ) {
        turned.apply_orientation(Orientation::FlipHorizontal);
    }
    if matches!(
        orientation,
        Orientation::Rotate270 | Orientation::Rotate270FlipH
    ) {
        turned.apply_orientation(Orientation::FlipVertical);
    }
    Ok(turned)
}

/// Makes the rows of a picture its columns. A colour stays among the bytes of that colour, so they are swapped one colour after
/// the other, and only one of them is copied at a time.
fn swap<const CHANNELS: usize>(mut bytes: Vec<u8>, width: u32, height: u32) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    for channel in 0..CHANNELS {
        let plane: Vec<u8> = bytes[channel..].iter().step_by(CHANNELS).copied().collect();
        for (column, row) in bytes.chunks_exact_mut(height * CHANNELS).enumerate() {
            let pixels = plane[column..].iter().step_by(width);
            let places = row[channel..].iter_mut().step_by(CHANNELS);
            for (place, pixel) in places.zip(pixels) {
                *place = *pixel;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use image::{Rgb, Rgba};

    use super::*;

    #[test]
    fn a_picture_is_turned_as_by_a_copy() {
        let shade = |number: u32| u8::try_from(number * 5 % 256).unwrap();
        let opaque = |x, y| Rgb([shade(x), shade(y), shade(x * y)]);
        let seen_through = |x, y| Rgba([shade(x), shade(y), shade(x * y), shade(x + y)]);
        let pictures: [DynamicImage; 3] = [
            RgbImage::from_fn(7, 4, opaque).into(),
            RgbImage::from_fn(1, 9, opaque).into(),
            RgbaImage::from_fn(5, 11, seen_through).into(),
        ];
        for picture in pictures {
            for number in 1..=8 {
                let orientation = Orientation::from_exif(number).unwrap();
                let mut expected = picture.clone();
                expected.apply_orientation(orientation);
                let turned = turn(picture.clone(), orientation).unwrap();
                assert_eq!(turned, expected, "{orientation:?}");
            }
        }
    }
}

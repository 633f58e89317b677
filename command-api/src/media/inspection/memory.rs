//! How much memory it takes to decode a picture, which is known by its header.

use image::ColorType;

/// What the header of a picture says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoding {
    pub(super) pixels: u64,
    /// As the decoder gives it.
    pub(super) color: ColorType,
    /// What the decoder needs beside the picture that it gives.
    pub(super) beside: u64,
    /// Whether its rows become columns.
    pub(super) is_turned: bool,
}

impl Decoding {
    /// The most bytes of pixels that there are at a time.
    pub(super) fn bytes(self) -> u64 {
        let given = self.pixels * u64::from(self.color.bytes_per_pixel());
        let channels = if self.color.has_alpha() { 4 } else { 3 };
        let plain = self.pixels * channels;
        // In another form it is copied.
        let converted = if matches!(self.color, ColorType::Rgb8 | ColorType::Rgba8) {
            plain
        } else {
            given + plain
        };
        // One colour after the other is turned.
        let turned = if self.is_turned {
            plain + self.pixels
        } else {
            plain
        };
        (given + self.beside).max(converted).max(turned)
    }
}

/// What the decoder of WebP needs beside the picture that it gives: its planes, those of what can be seen through, and of an
/// animation the whole canvas and a frame of it.
pub(super) fn beside_webp(file: &[u8], pixels: u64, color: ColorType) -> u64 {
    // An extended file has flags behind its name, of which the second says that it is an animation.
    let is_extended = file.get(12..16) == Some(b"VP8X");
    let is_animation = is_extended && file.get(20).is_some_and(|flags| flags & 2 != 0);
    let bytes_per_pixel = match (is_animation, color.has_alpha()) {
        (true, _) => 15,
        (false, true) => 7,
        (false, false) => 4,
    };
    pixels * bytes_per_pixel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_takes_what_it_is_copied_into() {
        for (color, beside, is_turned, bytes) in [
            (ColorType::Rgb8, 0, false, 3),
            (ColorType::Rgba8, 0, false, 4),
            (ColorType::Rgb8, 6, false, 9),
            (ColorType::Rgb8, 0, true, 4),
            (ColorType::Rgba8, 0, true, 5),
            (ColorType::L8, 0, false, 4),
            (ColorType::Rgb16, 0, false, 9),
            (ColorType::Rgba16, 0, true, 12),
        ] {
            let decoding = Decoding {
                pixels: 1_000,
                color,
                beside: beside * 1_000,
                is_turned,
            };
            assert_eq!(decoding.bytes(), bytes * 1_000, "{decoding:?}");
        }
    }

    #[test]
    fn an_animation_takes_more() {
        let file = |flags| [&b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0"[..], &[flags]].concat();
        let beside = |flags, color| beside_webp(&file(flags), 10, color);
        assert_eq!(beside(0x10, ColorType::Rgb8), 40);
        assert_eq!(beside(0x10, ColorType::Rgba8), 70);
        assert_eq!(beside(0x12, ColorType::Rgba8), 150);
        assert_eq!(
            beside_webp(b"RIFF\0\0\0\0WEBPVP8 ", 10, ColorType::Rgb8),
            40
        );
    }
}

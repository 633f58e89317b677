//! Small files of WebP that would take much memory, whatever their headers say of the picture.

use image::ImageFormat;

use crate::pictures::picture;

/// The container of WebP, with these chunks.
fn webp(chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    let bytes = u32::try_from(chunks.len() + 4).unwrap().to_le_bytes();
    [b"RIFF", &bytes[..], b"WEBP", &chunks].concat()
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(content.len()).unwrap().to_le_bytes();
    let filling = vec![0; content.len() % 2];
    [&name, &bytes[..], content, &filling].concat()
}

/// The header of an extended file, with these flags, of a picture of this side.
fn extended(flags: u8, side: u32) -> Vec<u8> {
    let side = &(side - 1).to_le_bytes()[..3];
    chunk(*b"VP8X", &[&[flags, 0, 0, 0], side, side].concat())
}

/// A small picture with metadata that are said to have 4 GiB.
#[must_use]
pub fn metadata_of_gibibytes() -> Vec<u8> {
    let small = picture(4, 4, ImageFormat::WebP);
    let mut file = webp(&[extended(8, 4), small[12..].to_vec(), chunk(*b"EXIF", b"")]);
    let end = file.len();
    file[end - 4..].copy_from_slice(&0xffff_ff00_u32.to_le_bytes());
    file
}

/// A picture of one pixel, whose only frame has 16,383 × 16,383.
#[must_use]
pub fn large_frame() -> Vec<u8> {
    webp(&[extended(0, 1), chunk(*b"VP8 ", &frame())])
}

/// An animation of one pixel, whose first picture has 16,383 × 16,383.
#[must_use]
pub fn large_frame_of_animation() -> Vec<u8> {
    let at_and_size = [0; 12];
    let milliseconds_and_flags = [100, 0, 0, 0];
    let picture = [
        &at_and_size[..],
        &milliseconds_and_flags,
        &chunk(*b"VP8 ", &frame()),
    ]
    .concat();
    let animation = [chunk(*b"ANIM", &[0; 6]), chunk(*b"ANMF", &picture)].concat();
    webp(&[extended(2, 1), animation])
}

/// A frame of VP8 (RFC 6386), all of whose decisions are zeros: it is of one grey.
fn frame() -> Vec<u8> {
    const PARTITION_BYTES: u32 = (1 << 19) - 1;
    const IS_SHOWN: u32 = 1 << 4;
    let tag = (IS_SHOWN | (PARTITION_BYTES << 5)).to_le_bytes();
    let side = 16_383_u16.to_le_bytes();
    let begin = [&tag[..3], b"\x9d\x01\x2a", &side, &side].concat();
    let partitions = vec![0; 2 * PARTITION_BYTES as usize];
    [begin, partitions].concat()
}

/// A picture of 4 × 4 pixels without losses, with 65,536 groups of codes, each of which becomes large tables.
#[must_use]
pub fn many_codes() -> Vec<u8> {
    const GROUPS: u32 = 65_536;
    let mut bits = Bits::default();
    bits.put(0x2f, 8);
    bits.put(3, 14);
    bits.put(3, 14);
    // Neither transparent, nor of another version, nor transformed, nor with a cache of colours.
    bits.put(0, 1 + 3 + 1 + 1);
    // Which group is that of which pixels: a picture of its own, of one colour, whose number is that of the last group.
    bits.put(1, 1);
    bits.put(0, 3 + 1);
    for symbol in [(GROUPS - 1) & 255, (GROUPS - 1) >> 8, 0, 0, 0] {
        bits.put_code_of_one(symbol);
    }
    for _ in 0..GROUPS * 5 {
        bits.put_long_code();
    }
    for _ in 0..80 {
        bits.put(0, 8);
    }
    webp(&[chunk(*b"VP8L", &bits.bytes)])
}

/// Bits, from the lowest of each byte on.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    waiting: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, count: u32) {
        self.waiting |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.waiting.to_le_bytes()[0]);
            self.waiting >>= 8;
            self.count -= 8;
        }
    }

    fn put_code_of_one(&mut self, symbol: u32) {
        self.put(1, 1);
        self.put(0, 1);
        let count = if symbol < 2 { 1 } else { 8 };
        self.put(u32::from(count == 8), 1);
        self.put(symbol, count);
    }

    /// A code of eleven symbols with 1, 2, 3, … and 10 bits.
    fn put_long_code(&mut self) {
        // The lengths are written in a code of their own: those from 1 to 6 in three bits, the others in four.
        const ORDER: [u32; 14] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10];
        self.put(0, 1);
        self.put(14 - 4, 4);
        for length in ORDER {
            let bits = match length {
                1..=6 => 3,
                7..=10 => 4,
                _ => 0,
            };
            self.put(bits, 3);
        }
        // Eleven of them follow.
        self.put(1, 1);
        self.put(1, 3);
        self.put(11 - 2, 4);
        for length in (1_u32..=10).chain([10]) {
            let (code, count) = if length <= 6 {
                (length - 1, 3)
            } else {
                (12 + length - 7, 4)
            };
            self.put(code.reverse_bits() >> (32 - count), count);
        }
    }
}

//! What is taken, what is refused, and what is kept of a picture.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{GenericImageView, ImageEncoder, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

const SIZE: Size = Size {
    pixels_max: 1_000_000,
    side_max: 2_000,
    scanned_pixels_max: 16_000_000,
    written_bytes: 1_000_000,
};

fn inspect(file: &[u8], stated: Option<PictureType>, size: Size) -> Result<Vec<Written>, Error> {
    super::inspect(file.to_vec(), stated, size)
}

/// A picture that is red on its left half and blue on its right.
fn halves(width: u32, height: u32) -> DynamicImage {
    let colour = |x, _| {
        if x < width / 2 {
            Rgb([220, 30, 30])
        } else {
            Rgb([30, 30, 220])
        }
    };
    RgbImage::from_fn(width, height, colour).into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture
        .write_to(&mut Cursor::new(&mut bytes), format)
        .unwrap();
    bytes
}

fn decoded(written: &Written) -> DynamicImage {
    let format = format(written.picture_type);
    image::load_from_memory_with_format(&written.bytes, format).unwrap()
}

fn refusal(file: &[u8], stated: PictureType) -> String {
    match inspect(file, Some(stated), SIZE) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

/// The header of a PNG of this size, with nothing in it.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    let mut header = b"IHDR".to_vec();
    for side in [width, height] {
        file.extend(side.to_be_bytes());
        header.extend(side.to_be_bytes());
    }
    for bytes in [&mut file, &mut header] {
        bytes.extend([8, 6, 0, 0, 0]);
    }
    file.extend(crc(&header).to_be_bytes());
    file.extend(b"\0\0\0\0IDAT");
    file.extend(crc(b"IDAT").to_be_bytes());
    file
}

/// The checksum of a chunk of PNG (ISO/IEC 15948, annex D).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (!(crc & 1)).wrapping_add(1))
        })
    })
}

#[test]
fn a_picture_is_kept_in_all_sizes_which_are_never_larger() {
    for (width, height, sizes) in [
        (
            1_200,
            800,
            [(32, 32), (96, 96), (320, 213), (640, 426), (800, 533)],
        ),
        (
            60,
            900,
            [(32, 32), (60, 60), (16, 240), (32, 480), (40, 600)],
        ),
        (2, 1, [(1, 1), (1, 1), (2, 1), (2, 1), (2, 1)]),
        (1_900, 1, [(1, 1), (1, 1), (320, 1), (640, 1), (800, 1)]),
    ] {
        let file = file(&halves(width, height), ImageFormat::Png);
        let written = inspect(&file, Some(PictureType::Png), SIZE).unwrap();
        let (full, smaller) = written.split_first().unwrap();
        assert_eq!((full.width, full.height), (width, height));
        let found: Vec<_> = smaller.iter().map(|it| (it.width, it.height)).collect();
        assert_eq!(found, sizes);
        for written in &written {
            assert_eq!(
                decoded(written).dimensions(),
                (written.width, written.height)
            );
        }
    }
}

#[test]
fn a_square_is_cut_out_of_the_middle() {
    let file = file(&halves(400, 100), ImageFormat::Png);
    let written = inspect(&file, Some(PictureType::Png), SIZE).unwrap();
    let square = decoded(&written[2]).into_rgb8();
    let (left, right) = (square.get_pixel(10, 48), square.get_pixel(85, 48));
    assert!(left[0] > 180 && left[2] < 80, "{left:?}");
    assert!(right[0] < 80 && right[2] > 180, "{right:?}");
}

#[test]
fn a_type_that_is_not_stated_is_found_out() {
    for (format, full) in [
        (ImageFormat::Png, PictureType::Png),
        (ImageFormat::Jpeg, PictureType::Jpeg),
        (ImageFormat::WebP, PictureType::Jpeg),
    ] {
        let written = inspect(&file(&halves(40, 30), format), None, SIZE).unwrap();
        assert_eq!(written[0].picture_type, full);
    }
    for other in [&b"GIF89a\x01\0\x01\0\x80\0\0"[..], b"<svg/>", b""] {
        let refused = inspect(other, None, SIZE).err().unwrap().to_string();
        assert!(refused.contains("none of the types"), "{refused}");
    }
}

#[test]
fn what_is_seen_through_stays_so() {
    let picture = RgbaImage::from_pixel(64, 64, Rgba([10, 200, 10, 0]));
    let webp = file(&picture.into(), ImageFormat::WebP);
    for written in inspect(&webp, Some(PictureType::Webp), SIZE).unwrap() {
        assert_eq!(written.picture_type, PictureType::Png);
        assert_eq!(decoded(&written).into_rgba8().get_pixel(0, 0)[3], 0);
    }
}

#[test]
fn nothing_of_a_file_is_kept_but_its_pixels_turned_as_they_are_seen() {
    // An orientation of 6: the picture is to be turned by 90° clockwise. Then a canary where a place would stand.
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.extend(b"canary-of-a-place");
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
    encoder.set_exif_metadata(exif).unwrap();
    halves(80, 40).write_with_encoder(encoder).unwrap();
    jpeg.extend(b"<script>canary-of-a-polyglot</script>");
    let written = inspect(&jpeg, Some(PictureType::Jpeg), SIZE).unwrap();
    assert_eq!((written[0].width, written[0].height), (40, 80));
    let seen = decoded(&written[0]).into_rgb8();
    assert!(seen.get_pixel(20, 5)[0] > 180, "red is above");
    assert!(jpeg.windows(6).any(|it| it == b"canary"));
    for written in written {
        assert!(!written.bytes.windows(6).any(|it| it == b"canary"));
    }
}

#[test]
fn a_file_of_another_type_is_refused() {
    let png = file(&halves(4, 4), ImageFormat::Png);
    for (file, stated) in [
        (&*png, PictureType::Jpeg),
        (
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            PictureType::Png,
        ),
        (
            b"<!doctype html><script>alert(1)</script>",
            PictureType::Png,
        ),
        (b"PK\x03\x04 an archive", PictureType::Webp),
        (b"", PictureType::Png),
    ] {
        let refusal = refusal(file, stated);
        assert!(
            refusal.starts_with("the file is not of the type image/"),
            "{refusal}"
        );
    }
}

#[test]
fn broken_files_are_refused_and_never_panic() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = file(&halves(64, 64), format);
        let stated = PictureType::of(format.to_mime_type()).unwrap();
        for end in (0..whole.len() - 20).step_by(7) {
            // A JPEG without its last rows can be shown, and is.
            let inspected = inspect(&whole[..end], Some(stated), SIZE);
            assert!(
                stated == PictureType::Jpeg || inspected.is_err(),
                "{format:?} {end}"
            );
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            drop(inspect(&changed, Some(stated), SIZE));
        }
    }
}

#[test]
fn a_picture_that_would_take_much_memory_is_refused_by_its_header() {
    for (width, height, reason) in [
        (100_000, 100_000, "2000 on a side"),
        (2_001, 1, "2000 on a side"),
        (1_500, 1_500, "1000000 in all"),
        (u32::MAX >> 1, 1, "cannot be read"),
    ] {
        let refusal = refusal(&png_header(width, height), PictureType::Png);
        assert!(refusal.ends_with(reason), "{refusal}");
    }
}

#[test]
fn a_text_that_expands_is_not_read() {
    // A text of 64 MiB that takes 64 KiB in the file.
    let mut chunk = b"zTXtComment\0\0".to_vec();
    let text = vec![0; 64 << 20];
    let mut encoder = flate2::write::ZlibEncoder::new(&mut chunk, flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &text).unwrap();
    encoder.finish().unwrap();
    let bytes = with_chunk(&file(&halves(4, 4), ImageFormat::Png), &chunk);
    let written = inspect(&bytes, Some(PictureType::Png), SIZE).unwrap();
    assert!(written.iter().all(|it| it.bytes.len() < 10_000));
}

#[test]
fn a_profile_of_colours_that_expands_is_not_read() {
    // A profile of 64 MiB, which takes 64 KiB in the file.
    let mut chunk = b"iCCPname\0\0".to_vec();
    let mut encoder = flate2::write::ZlibEncoder::new(&mut chunk, flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![0; 64 << 20]).unwrap();
    encoder.finish().unwrap();
    let bytes = with_chunk(&file(&halves(4, 4), ImageFormat::Png), &chunk);
    let profile = |max_alloc| {
        let mut limits = Limits::no_limits();
        limits.max_alloc = max_alloc;
        let mut reader = ImageReader::with_format(Cursor::new(&bytes), ImageFormat::Png);
        reader.limits(limits);
        let mut decoder = reader.into_decoder().unwrap();
        decoder.icc_profile().unwrap().map(|profile| profile.len())
    };
    assert_eq!(profile(None), Some(64 << 20), "it would expand");
    let mut bounded = reader(&*bytes, PictureType::Png).into_decoder().unwrap();
    assert_eq!(bounded.icc_profile().unwrap(), None);
    inspect(&bytes, Some(PictureType::Png), SIZE).unwrap();
}

/// A PNG with another chunk behind its header, which has 8 bytes before it and 25 of its own.
fn with_chunk(file: &[u8], chunk: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(chunk.len() - 4).unwrap().to_be_bytes();
    let (begin, rest) = file.split_at(33);
    [begin, &bytes, chunk, &crc(chunk).to_be_bytes(), rest].concat()
}

/// A file of PNG in which a square of noise repeats itself, which only an encoder that looks far back notices.
fn tiles() -> Vec<u8> {
    let noise = |x: u32, y: u32| (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761);
    let tile = |x, y| {
        let [red, green, blue, _] = noise(x % 64, y % 64).to_le_bytes();
        Rgb([red, green, blue])
    };
    let picture = DynamicImage::from(RgbImage::from_fn(512, 512, tile));
    let mut file = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::NoFilter);
    picture.write_with_encoder(encoder).unwrap();
    file
}

#[test]
fn a_small_file_does_not_become_one_of_many_bytes() {
    let file = tiles();
    let bounded = |written_bytes| {
        let size = Size {
            written_bytes,
            ..SIZE
        };
        inspect(&file, Some(PictureType::Png), size)
    };
    let bytes = bounded(usize::MAX).unwrap()[0].bytes.len();
    assert!(bytes > 4 * file.len(), "{bytes} of {}", file.len());
    bounded(bytes).unwrap();
    let refused = bounded(bytes - 1).err().unwrap().to_string();
    let expected = format!(
        "the picture has more than {} bytes when it is written anew",
        bytes - 1
    );
    assert_eq!(refused, expected);
}

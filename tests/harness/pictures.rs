//! Pictures to upload.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageEncoder, ImageFormat, Rgb, RgbImage};
use tempfile::NamedTempFile;
use uuid::Uuid;

use crate::client::Answer;
use crate::{App, Client, Market};

/// A picture whose colours change from left to right and from top to bottom, as a file of this format.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let shade = |part: u32, whole: u32| u8::try_from(255 * part / whole.max(1)).unwrap();
    let colour = |x, y| Rgb([shade(x, width), shade(y, height), 128]);
    let picture = DynamicImage::from(RgbImage::from_fn(width, height, colour));
    file_of(&picture, format)
}

/// A picture as a file of this format.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn file_of(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A photo that is to be turned by 90° before it is seen, as those of phones are.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn photo_to_turn(width: u32, height: u32) -> Vec<u8> {
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    let shade = |part: u32| u8::try_from(part % 256).unwrap();
    let colour = |x, y| Rgb([shade(x), shade(y), shade(x + y)]);
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, 85);
    encoder.set_exif_metadata(exif).unwrap();
    let picture = DynamicImage::from(RgbImage::from_fn(width, height, colour));
    picture.write_with_encoder(encoder).unwrap();
    file
}

/// A progressive JPEG of one grey, with so many components and scans. Its file is small, and its coefficients are not.
///
/// # Panics
/// If one of the numbers is too large.
#[must_use]
pub fn progressive(side: u16, components: u8, scans: usize) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let mut file = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    file.extend([1; 64]);
    file.extend([
        0xff,
        0xc2,
        0,
        8 + 3 * components,
        8,
        high,
        low,
        high,
        low,
        components,
    ]);
    for id in 1..=components {
        file.extend([id, 0x11, 0]);
    }
    // One code, of one bit: the value is as that of the block before.
    file.extend([0xff, 0xc4, 0, 20, 0, 1]);
    file.extend([0; 16]);
    let blocks = usize::from(side).div_ceil(8).pow(2) * usize::from(components);
    for _ in 0..scans {
        file.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
        for id in 1..=components {
            file.extend([id, 0]);
        }
        file.extend([0, 0, 0]);
        file.extend(vec![0; blocks.div_ceil(8)]);
    }
    file.extend([0xff, 0xd9]);
    file
}

/// A picture of noise, which takes about three bytes a pixel, as a PNG.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        // The generator of Numerical Recipes, whose high bits are the good ones.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    let picture = RgbImage::from_fn(width, height, |_, _| Rgb([next(), next(), next()]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A file that holds [`noise`], until it is dropped.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn noise_file(width: u32, height: u32) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), noise(width, height)).unwrap();
    file
}

/// The path at which pictures of products are uploaded.
pub const UPLOADS: &str = "/v1/media?purpose=product_picture";

/// Uploads a picture of a category, as an admin. Returns the media.
pub async fn upload_for_category(app: &App) -> Uuid {
    let admin = app.admin().await;
    let file = picture(40, 30, ImageFormat::Png);
    let uploaded = admin.upload_as("category_picture", "image/png", file);
    uploaded.await.ok().id()
}

impl Client {
    /// Uploads a picture of a product.
    pub async fn upload(&self, media_type: &str, file: Vec<u8>) -> Answer {
        self.upload_as("product_picture", media_type, file).await
    }

    /// Uploads a file for this purpose.
    pub async fn upload_as(&self, purpose: &str, media_type: &str, file: Vec<u8>) -> Answer {
        let path = format!("/v1/media?purpose={purpose}");
        let request = self.command(reqwest::Method::POST, &path);
        Answer::to(request.header("content-type", media_type).body(file)).await
    }
}

impl Market<'_> {
    /// Uploads a picture of the seller. Returns the media.
    pub async fn picture(&self) -> Uuid {
        let file = picture(40, 30, ImageFormat::Png);
        self.seller.upload("image/png", file).await.ok().id()
    }

    /// Has a product show these pictures.
    pub async fn show(&self, product: Uuid, pictures: &[Uuid]) -> Answer {
        let path = format!("/v1/products/{product}/pictures");
        let body = serde_json::json!({"pictures": pictures});
        self.seller.post(&path, &body).await
    }
}

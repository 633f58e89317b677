//! Pictures to upload.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
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
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
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

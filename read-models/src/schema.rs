//! How the description of the API describes the values that `events` defines. These types only describe; no
//! value of them is ever made.

use tidemark_events::media::media::{PictureType, Variant};
use tidemark_events::{CountryCode, PayableCurrency};
use utoipa::ToSchema;
use uuid::Uuid;

/// An amount of money.
#[derive(Debug, ToSchema)]
pub struct Money {
    /// The amount in the currency's minor unit, which is the cent for EUR.
    #[schema(example = 12_000, minimum = 0, maximum = 1_000_000_000_000_000i64)]
    pub amount: i64,
    /// The currency of the amount.
    pub currency: PayableCurrency,
}

/// How an auction ended.
#[derive(Debug, ToSchema)]
pub struct Outcome {
    /// Whether the product was sold.
    pub result: AuctionResult,
    /// The user who bought the product; none unless it is sold.
    pub winner_id: Option<Uuid>,
    /// The price that the buyer pays, without shipping; none unless the product is sold.
    pub price: Option<Money>,
}

/// Whether an auction sold its product.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum AuctionResult {
    /// The product was sold.
    Sold,
    /// Nobody bid.
    Unsold,
    /// The highest bid was below the hidden reserve.
    ReserveNotMet,
}

/// How a product gets to its buyer.
#[derive(Debug, ToSchema)]
pub struct Shipping {
    /// The price that the buyer pays for the shipping.
    pub price: Money,
    /// The countries that the product is sent to.
    pub countries: Vec<CountryCode>,
}

/// An uploaded picture of a product or a category. Its bytes are at `/v1/media/{media_id}/{variant}`.
#[derive(Debug, ToSchema)]
pub struct UploadedPicture {
    /// The id of the media.
    pub media_id: Uuid,
    /// The width in pixels.
    #[schema(minimum = 1, maximum = 65_535, example = 1_200)]
    pub width: u32,
    /// The height in pixels.
    #[schema(minimum = 1, maximum = 65_535, example = 900)]
    pub height: u32,
}

/// A picture in one of its sizes. Its bytes are at `/v1/media/{id}/{variant}`.
#[derive(Debug, ToSchema)]
pub struct StoredVariant {
    /// Which one it is.
    pub variant: Variant,
    /// Its format.
    pub picture_type: PictureType,
    /// Its width in pixels.
    #[schema(minimum = 1, maximum = 65_535, example = 1_200)]
    pub width: u32,
    /// Its height in pixels.
    #[schema(minimum = 1, maximum = 65_535, example = 900)]
    pub height: u32,
    /// How many bytes it has.
    #[schema(minimum = 1, maximum = 1_073_741_824, example = 118_000)]
    pub bytes: i64,
    /// The SHA-256 of them as they are stored, in hexadecimal digits: of an avatar, sealed.
    #[schema(example = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")]
    pub sha256: String,
}

/// What shows media.
#[derive(Debug, ToSchema)]
pub struct ShownBy {
    /// What kind of thing it is.
    pub kind: ShownByKind,
    /// Its id.
    pub id: Uuid,
}

/// What can show media.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case", example = "product")]
pub enum ShownByKind {
    /// A product.
    Product,
    /// A category.
    Category,
    /// A user.
    User,
}

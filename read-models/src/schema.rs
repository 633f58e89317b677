//! How the description of the API describes the values that `events` defines. These types only describe; no
//! value of them is ever made.

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

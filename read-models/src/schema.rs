//! How the description of the API describes the values that `events` defines. These types only describe; no
//! value of them is ever made.

use utoipa::ToSchema;
use uuid::Uuid;

/// An amount of money.
#[derive(Debug, ToSchema)]
pub struct Money {
    /// The amount in the currency's minor unit, which is the cent for EUR.
    #[schema(example = 12_000)]
    pub amount: i64,
    /// The currency, as its ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// How an auction ended.
#[derive(Debug, ToSchema)]
pub struct Outcome {
    /// `sold`, `unsold` or `reserve_not_met`.
    #[schema(example = "sold")]
    pub result: String,
    /// The user who bought the product; none unless it is sold.
    pub winner_id: Option<Uuid>,
    /// The price that the buyer pays, without shipping; none unless the product is sold.
    pub price: Option<Money>,
}

/// How a product gets to its buyer.
#[derive(Debug, ToSchema)]
pub struct Shipping {
    /// The price that the buyer pays for the shipping.
    pub price: Money,
    /// The countries that the product is sent to, as ISO 3166-1 alpha-2 codes.
    pub countries: Vec<String>,
}

/// How used a product is.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Condition {
    /// The product is unused and in its packaging.
    New,
    /// The product was used and shows no wear.
    LikeNew,
    /// The product was used and shows some wear.
    Good,
    /// The product was used much and works.
    Fair,
    /// The product does not work.
    ForParts,
}

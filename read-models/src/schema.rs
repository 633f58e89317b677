//! What the API's description says of values that `events` defines. Types for describing only: nothing
//! is ever made of them.

use utoipa::ToSchema;
use uuid::Uuid;

/// An amount of money.
#[derive(Debug, ToSchema)]
pub struct Money {
    /// In the currency's minor unit (cents, for EUR).
    #[schema(example = 12_000)]
    pub amount: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

/// How an auction ended.
#[derive(Debug, ToSchema)]
pub struct Outcome {
    /// `sold`, `unsold` or `reserve_not_met`.
    #[schema(example = "sold")]
    pub result: String,
    /// Who has it, where it is sold.
    pub winner_id: Option<Uuid>,
    /// For how much, where it is sold.
    pub price: Option<Money>,
}

/// How a product gets to its buyer.
#[derive(Debug, ToSchema)]
pub struct Shipping {
    /// What the buyer pays for it.
    pub price: Money,
    /// ISO 3166-1 alpha-2 codes of the countries it is sent to.
    pub countries: Vec<String>,
}

/// The state of a product itself.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Condition {
    /// Unused, in its packaging.
    New,
    /// Used, without visible wear.
    LikeNew,
    /// Used, with signs of it.
    Good,
    /// Used much, and works.
    Fair,
    /// Does not work.
    ForParts,
}

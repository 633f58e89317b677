//! Money: integer minor units with a currency. No arithmetic between currencies, no rounding.

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Money {
    /// In the currency's minor unit (cents, for EUR).
    pub amount: i64,
    /// ISO 4217.
    #[cfg_attr(test, schemars(with = "String"))]
    pub currency: Currency,
}

//! Money: integer minor units with a currency. No arithmetic between currencies, no rounding.

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// In the currency's minor unit (cents, for EUR).
    pub amount: i64,
    /// ISO 4217.
    pub currency: Currency,
}

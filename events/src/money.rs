//! Money: an integer number of minor units in a currency. There is no arithmetic between currencies and no
//! rounding.

use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount of money that was stored or computed. Events get only what a client stated as a
/// [`Price`](crate::Price).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// The amount in the currency's minor unit, which is the cent for EUR.
    pub amount: i64,
    /// The currency, as its ISO 4217 code.
    pub currency: Currency,
}

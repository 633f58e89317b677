//! Amounts of money in the bodies of requests.

use garde::Validate;
use serde::{Deserialize, Serialize};
use tidemark_domain::market::auction::AMOUNT_MAX;
use tidemark_events::{Money, PayableCurrency};
use utoipa::ToSchema;

/// An amount of money.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
pub(super) struct Price {
    /// The amount in the currency's minor unit, such as cents for EUR.
    #[garde(range(min = 0, max = AMOUNT_MAX))]
    #[schema(example = 12_000, minimum = 0, maximum = 1_000_000_000_000_000i64)]
    amount: i64,
    /// The currency of the amount.
    currency: PayableCurrency,
}

impl From<Price> for Money {
    fn from(price: Price) -> Self {
        Self {
            amount: price.amount,
            currency: price.currency.into(),
        }
    }
}

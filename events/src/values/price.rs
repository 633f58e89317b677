//! Prices as clients state them.

use std::borrow::Cow;

use serde::Deserialize;
use utoipa::openapi::schema::{AdditionalProperties, SchemaType};
use utoipa::openapi::{KnownFormat, ObjectBuilder, Ref, RefOr, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{PayableCurrency, Stored, Value};
use crate::Money;

/// The highest amount in minor units. The sum of two amounts is far from an overflow.
const AMOUNT_MAX: i64 = 1_000_000_000_000_000;

/// An amount of at least `MIN` and at most 10^15 minor units of a currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "i64")]
pub struct Amount<const MIN: i64 = 1>(i64);

/// The amount is out of range: it is not at least this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be from {0} to {AMOUNT_MAX} minor units")]
pub struct AmountError(i64);

/// An amount of money, as a client states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price<const MIN: i64 = 1> {
    /// The amount in the currency's minor unit, such as cents for EUR.
    amount: Amount<MIN>,
    /// The currency of the amount.
    currency: PayableCurrency,
}

impl<const MIN: i64> TryFrom<i64> for Amount<MIN> {
    type Error = AmountError;

    fn try_from(amount: i64) -> Result<Self, AmountError> {
        if (MIN..=AMOUNT_MAX).contains(&amount) {
            Ok(Self(amount))
        } else {
            Err(AmountError(MIN))
        }
    }
}

impl<const MIN: i64> From<Amount<MIN>> for i64 {
    fn from(amount: Amount<MIN>) -> Self {
        amount.0
    }
}

impl<const MIN: i64> Value for Amount<MIN> {
    type Plain = i64;
}

impl<const MIN: i64> Price<MIN> {
    /// So much in this currency.
    #[must_use]
    pub const fn new(amount: Amount<MIN>, currency: PayableCurrency) -> Self {
        Self { amount, currency }
    }

    /// The amount.
    #[must_use]
    pub const fn amount(self) -> Amount<MIN> {
        self.amount
    }

    /// Another amount in the same currency.
    #[must_use]
    pub const fn with_amount(self, amount: Amount<MIN>) -> Self {
        Self { amount, ..self }
    }
}

impl<const MIN: i64> PartialSchema for Price<MIN> {
    fn schema() -> RefOr<Schema> {
        let amount = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Integer))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .description(Some(
                "The amount in the currency's minor unit, such as cents for EUR.",
            ))
            .minimum(Some(MIN))
            .maximum(Some(AMOUNT_MAX))
            .examples([12_000]);
        let mut currency = Ref::from_schema_name(PayableCurrency::name());
        "The currency of the amount.".clone_into(&mut currency.description);
        ObjectBuilder::new()
            .description(Some("An amount of money, as a client states it."))
            .property("amount", amount)
            .property("currency", currency)
            .required("amount")
            .required("currency")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .into()
    }
}

impl<const MIN: i64> ToSchema for Price<MIN> {
    fn name() -> Cow<'static, str> {
        if MIN == 0 {
            "PriceOrNothing".into()
        } else {
            "Price".into()
        }
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PayableCurrency::name().into(), PayableCurrency::schema()));
    }
}

impl<const MIN: i64> From<Price<MIN>> for Money {
    fn from(price: Price<MIN>) -> Self {
        Self {
            amount: price.amount.into(),
            currency: price.currency.into(),
        }
    }
}

impl<const MIN: i64> Value for Price<MIN> {
    type Plain = Money;
}

impl<const MIN: i64> Stored<Price<MIN>> {
    /// Another amount in the same currency.
    #[must_use]
    pub fn with_amount(self, amount: Stored<Amount<MIN>>) -> Self {
        Self(Money {
            amount: *amount,
            ..self.0
        })
    }
}

#[cfg(test)]
mod tests {
    use iso_currency::Currency;

    use super::*;

    #[test]
    fn amounts_have_bounds() {
        let is_accepted = |amount| Amount::<1>::try_from(amount).is_ok();
        assert!([1, 2, AMOUNT_MAX].into_iter().all(is_accepted));
        let refused = [i64::MIN, -1, 0, AMOUNT_MAX + 1, i64::MAX];
        assert!(!refused.into_iter().any(is_accepted));
        assert_eq!(Amount::<0>::try_from(0).map(i64::from), Ok(0));
        assert_eq!(Amount::<0>::try_from(-1), Err(AmountError(0)));
    }

    #[test]
    fn the_schema_tells_the_bounds_of_the_amount() {
        let schemas = [Price::<0>::schema(), Price::<1>::schema()];
        let schemas = schemas.map(|schema| serde_json::to_value(schema).unwrap());
        let bounds = schemas.map(|schema| {
            let amount = &schema["properties"]["amount"];
            [&amount["minimum"], &amount["maximum"]].map(|bound| bound.as_i64().unwrap())
        });
        assert_eq!(bounds, [[0, AMOUNT_MAX], [1, AMOUNT_MAX]]);
    }

    #[test]
    fn prices_are_read_with_the_rules_of_their_parts() {
        let read = |text: &str| serde_json::from_str::<Price>(text).map(Money::from);
        let price = read(r#"{"amount":5,"currency":"EUR"}"#).unwrap();
        assert_eq!((price.amount, price.currency), (5, Currency::EUR));
        for refused in [
            r#"{"amount":0,"currency":"EUR"}"#,
            r#"{"amount":5,"currency":"XXX"}"#,
            r#"{"amount":5,"currency":"EUR","tax":1}"#,
        ] {
            assert!(read(refused).is_err(), "{refused}");
        }
    }
}

//! Currencies that people pay in.

use std::borrow::Cow;

use iso_currency::{Currency, IntoEnumIterator};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

/// A currency that people pay in.
///
/// ISO 4217 also has codes for metals, for units of account between banks, for funds, for tests, and for no
/// currency at all. Those that it has withdrawn are listed here, one by one: when a currency is replaced, auctions in it
/// still run, so it is listed once none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Cow<'_, str>")]
pub struct PayableCurrency(Currency);

/// The currencies that are withdrawn and that the list of all currencies still has.
const WITHDRAWN: [Currency; 5] = [
    Currency::BGN,
    Currency::CUC,
    Currency::HRK,
    Currency::SLL,
    Currency::ZWL,
];

/// The text is not the code of a currency that people pay in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the ISO 4217 code of a currency that people pay in, in capitals, such as EUR")]
pub struct CurrencyError;

impl TryFrom<Currency> for PayableCurrency {
    type Error = CurrencyError;

    fn try_from(currency: Currency) -> Result<Self, CurrencyError> {
        let is_withdrawn = WITHDRAWN.contains(&currency);
        if currency.is_special() || currency.is_fund() || is_withdrawn {
            Err(CurrencyError)
        } else {
            Ok(Self(currency))
        }
    }
}

impl TryFrom<Cow<'_, str>> for PayableCurrency {
    type Error = CurrencyError;

    fn try_from(code: Cow<'_, str>) -> Result<Self, CurrencyError> {
        let currency = Currency::from_code(&code).ok_or(CurrencyError)?;
        currency.try_into()
    }
}

impl PartialSchema for PayableCurrency {
    fn schema() -> RefOr<Schema> {
        let payable = Currency::iter().filter(|&currency| Self::try_from(currency).is_ok());
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some("A currency that people pay in, as its ISO 4217 code."))
            .enum_values(Some(payable.map(|it| it.code())))
            .examples([Currency::EUR.code()])
            .into()
    }
}

impl ToSchema for PayableCurrency {
    fn name() -> Cow<'static, str> {
        "Currency".into()
    }
}

impl From<PayableCurrency> for Currency {
    fn from(payable: PayableCurrency) -> Self {
        payable.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_payable(code: &str) -> bool {
        let currency = Currency::from_code(code).unwrap();
        PayableCurrency::try_from(currency).is_ok()
    }

    #[test]
    fn nobody_pays_in_metals_funds_or_units_of_account() {
        for code in [
            "XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XUA", "XSU", "XAD", "XBA", "XBB",
            "XBC", "XBD", "BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW",
        ] {
            assert!(!is_payable(code), "{code}");
        }
    }

    /// The list of all currencies says which others replace, but also of VES, in which people pay.
    #[test]
    fn nobody_pays_in_what_is_withdrawn() {
        for currency in Currency::iter().filter(|it| it.is_superseded().is_some()) {
            let code = currency.code();
            assert_eq!(is_payable(code), code == "VES", "{code}");
        }
    }

    #[test]
    fn people_pay_in_currencies_of_one_country_or_several() {
        for code in [
            "EUR", "USD", "JPY", "KWD", "XOF", "XAF", "XPF", "XCD", "XCG", "VES",
        ] {
            assert!(is_payable(code), "{code}");
        }
    }
}

//! Countries that things are sent to.

use std::borrow::Cow;

use iso_country::Country;
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::{PartialSchema, ToSchema};

use super::Value;

/// The alpha-2 code of a country that ISO 3166-1 lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct CountryCode(String);

/// ISO 3166-1 has no country with this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the code of a country, two capital letters (ISO 3166-1 alpha-2)")]
pub struct CountryError;

impl TryFrom<String> for CountryCode {
    type Error = CountryError;

    fn try_from(code: String) -> Result<Self, CountryError> {
        match code.parse() {
            // The library reads an empty text as a country that is not specified.
            Ok(Country::Unspecified) | Err(_) => Err(CountryError),
            Ok(_) => Ok(Self(code)),
        }
    }
}

impl PartialSchema for CountryCode {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .description(Some("A country, as its ISO 3166-1 alpha-2 code."))
            .pattern(Some("^[A-Z]{2}$"))
            .examples(["DE"])
            .into()
    }
}

impl ToSchema for CountryCode {
    fn name() -> Cow<'static, str> {
        "Country".into()
    }
}

impl From<CountryCode> for String {
    fn from(code: CountryCode) -> Self {
        code.0
    }
}

impl Value for CountryCode {
    type Plain = String;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_codes_of_countries_are_taken() {
        let parse = |code: &str| CountryCode::try_from(code.to_owned());
        for code in ["DE", "GB", "SS", "AX", "ZW"] {
            assert_eq!(parse(code).map(String::from), Ok(code.to_owned()));
        }
        for code in [
            "", "XX", "UK", "EU", "AN", "ZZ", "de", "DEU", "D", "D\u{c9}",
        ] {
            assert_eq!(parse(code), Err(CountryError), "{code}");
        }
    }
}

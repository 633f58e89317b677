//! The address or the telephone number by which operators look for messages. It stands in a header, and is compared by its keyed hash.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use tidemark_events::{EmailAddress, PhoneNumber};
use tidemark_platform::http::{EMAIL_ADDRESS, PHONE_NUMBER};

use crate::app::App;
use crate::error::{Error, malformed_address, malformed_number};

/// The keyed hash of the address, or of the number, that the request names; none if it names none.
pub(super) struct AddressHash(pub(super) Option<String>);

impl FromRequestParts<App> for AddressHash {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let address = one::<EmailAddress>(&parts.headers, &EMAIL_ADDRESS);
        let address = address.map_err(|_| malformed_address())?;
        let number = one::<PhoneNumber>(&parts.headers, &PHONE_NUMBER);
        let number = number.map_err(|_| malformed_number())?;
        let hash = match (address, number) {
            (None, None) => return Ok(Self(None)),
            (Some(address), None) => app.lookup_key.hash_of_email(address.as_str()),
            (None, Some(number)) => app.lookup_key.hash("phone_number", number.as_str()),
            (Some(_), Some(_)) => return Err(malformed_number().into()),
        };
        Ok(Self(Some(hash.0)))
    }
}

/// The header is none such value, or several.
struct Malformed;

/// The value of a header, if the request has it.
fn one<V: TryFrom<String>>(headers: &HeaderMap, name: &HeaderName) -> Result<Option<V>, Malformed> {
    let mut lines = headers.get_all(name).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let text = line.to_str().map_err(|_| Malformed)?;
    let value = V::try_from(text.to_owned()).map_err(|_| Malformed)?;
    lines.next().map_or(Ok(Some(value)), |_| Err(Malformed))
}

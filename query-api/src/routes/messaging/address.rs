//! The address by which operators look for messages. It stands in a header, and is compared by its keyed hash.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tidemark_events::EmailAddress;
use tidemark_platform::http::EMAIL_ADDRESS;

use crate::app::App;
use crate::error::{Error, malformed_address};

/// The keyed hash of the address that the request names; none if it names none.
pub(super) struct AddressHash(pub(super) Option<String>);

impl FromRequestParts<App> for AddressHash {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let mut lines = parts.headers.get_all(EMAIL_ADDRESS).iter();
        let Some(line) = lines.next() else {
            return Ok(Self(None));
        };
        let address = line.to_str().ok().map(str::to_owned);
        let address = address.and_then(|it| EmailAddress::try_from(it).ok());
        match (address, lines.next()) {
            (Some(address), None) => {
                let hash = app.lookup_key.hash_of_email(address.as_str());
                Ok(Self(Some(hash.0)))
            }
            _ => Err(malformed_address().into()),
        }
    }
}

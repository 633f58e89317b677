//! Values that clients state and that events hold for ever.
//!
//! Clients, JSON, Postgres and this language disagree on what a time, a text or a currency may be. So each
//! is parsed once, when a request is read, into a type of this module, which refuses what others could not
//! read. Commands carry these types, and events are made of them: a [`Stored`] value of one. It is read as what
//! it is, without these rules: what was stored stays readable, whatever the rules become.

mod characters;
mod country;
mod currency;
mod email_address;
mod line;
mod locale;
mod moment;
mod phone_number;
mod price;
mod slug;
mod stored;
mod text;
mod url;

pub use characters::TextError;
pub use country::{CountryCode, CountryError};
pub use currency::{CurrencyError, PayableCurrency};
pub use email_address::{EmailAddress, EmailError};
pub use line::Line;
pub use locale::{Locale, LocaleError};
pub use moment::{Moment, MomentError};
pub use phone_number::{PhoneError, PhoneNumber};
pub use price::{Amount, AmountError, Price};
pub use slug::{Slug, SlugError};
pub use stored::{EventField, Stored, Value};
pub use text::Text;
pub use url::{Url, UrlError};

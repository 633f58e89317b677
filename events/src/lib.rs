//! The facts of Tidemark: event types by aggregate, the envelope they travel in, their versions and topics.
//!
//! Serialisable data only. No I/O, no clock, no rule about what may happen: rules are `domain`'s.
//! A fact is for ever: variants may be added, a field may be added with a default, a shape may
//! change through an [`upcast`], and nothing is ever removed or renamed.

mod aggregate;
mod codec;
mod envelope;
mod ids;
mod money;
mod sealed;
pub mod upcast;

pub mod auction;
pub mod category;
pub mod credential;
pub mod product;
pub mod reading;
pub mod reserve;
pub mod session;
pub mod user;

#[cfg(any(test, feature = "samples"))]
pub mod samples;

pub use aggregate::Visibility;
pub use codec::{DecodeError, Encoded};
pub use envelope::{Actor, ActorError, EventHash, Metadata, Recorded};
pub use ids::*;
pub use iso_currency::Currency;
pub use money::Money;
pub use sealed::{KeyedHash, Sealed};

/// An instant on the log's clock, which is Postgres's.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

aggregate::aggregates! {
    /// People who use the product, their roles and their (sealed) personal data.
    User(user) = "user", Public;
    /// How a user proves who they are.
    Credential(credential) = "credential", Internal;
    /// One device's logged-in period.
    Session(session) = "session", Internal;
    /// A node of the tree that products are filed under.
    Category(category) = "category", Public;
    /// A thing that is for sale.
    Product(product) = "product", Public;
    /// One live auction of a product.
    Auction(auction) = "auction", Public;
    /// The hidden price below which an auction does not sell.
    Reserve(reserve) = "reserve", Internal;
    /// An auditor's look at history.
    Reading(reading) = "reading", Public;
}

#[cfg(test)]
mod tests;

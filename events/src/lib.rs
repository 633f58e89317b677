//! The facts of Tidemark: event types by aggregate, the envelope they travel in, their versions and topics.
//!
//! Serialisable data only. No I/O, no clock, no rule about what may happen: rules are `domain`'s.
//! A fact is for ever: variants may be added, a field may be added with a default, a shape may
//! change through an [`upcast`], and nothing is ever removed or renamed.

#[macro_use]
mod aggregate;
mod codec;
mod envelope;
#[macro_use]
mod id;
mod money;
mod sealed;
pub mod upcast;

pub mod audit;
pub mod identity;
pub mod market;

#[cfg(any(test, feature = "samples"))]
pub mod samples;

pub use aggregate::Visibility;
pub use codec::{DecodeError, Encoded};
pub use envelope::{Actor, ActorError, EventHash, Metadata, Recorded};
pub use iso_currency::Currency;
pub use money::Money;
pub use sealed::{KeyedHash, Sealed};

/// An instant on the log's clock, which is Postgres's.
pub type Timestamp = chrono::DateTime<chrono::Utc>;

aggregates! {
    /// People who use the product, their roles and their (sealed) personal data.
    User(identity::user, UserId) = "user", Public;
    /// How a user proves who they are.
    Credential(identity::credential, CredentialId) = "credential", Internal;
    /// One device's logged-in period.
    Session(identity::session, SessionId) = "session", Internal;
    /// A node of the tree that products are filed under.
    Category(market::category, CategoryId) = "category", Public;
    /// A thing that is for sale.
    Product(market::product, ProductId) = "product", Public;
    /// One live auction of a product.
    Auction(market::auction, AuctionId) = "auction", Public;
    /// The hidden price below which an auction does not sell.
    Reserve(market::reserve, ReserveId) = "reserve", Internal;
    /// An auditor's look at history.
    Reading(audit::reading, ReadingId) = "reading", Public;
}

#[cfg(test)]
mod tests;

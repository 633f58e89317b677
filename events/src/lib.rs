//! The events of Tidemark: their types by context and aggregate, the metadata around them, their schema
//! versions and their topics.
//!
//! This crate holds serialisable data only: no I/O, no clock, and no rule about what may happen, since rules are in
//! `domain`. Events are stored for ever. So a variant may be added, a field may be added with a default, and
//! a shape may change through an [`upcast`], but nothing is ever removed or renamed.

#[macro_use]
mod aggregate;
mod codec;
mod envelope;
#[macro_use]
mod id;
mod money;
mod sealed;
pub mod upcast;
mod values;

pub mod audit;
pub mod identity;
pub mod market;
pub mod media;
pub mod messaging;
pub mod operations;
pub mod tasks;

#[cfg(any(test, feature = "samples"))]
pub mod samples;

pub use aggregate::Visibility;
pub use codec::{DecodeError, Encoded};
pub use envelope::{Actor, ActorError, EventHash, LogPoint, Metadata, Recorded};
pub use iso_currency::Currency;
pub use market::watch_list::WatchId;
pub use money::Money;
pub use sealed::{KeyedHash, Sealed};
pub use values::{
    Amount, AmountError, CountryCode, CountryError, CurrencyError, EmailAddress, EmailError,
    EventField, Line, Locale, LocaleError, Moment, MomentError, PayableCurrency, PhoneError,
    PhoneNumber, Price, Slug, SlugError, Stored, Text, TextError, Url, UrlError, Value,
};

/// A time, in whole microseconds. The log's own clock is Postgres's; what clients state is a [`Moment`].
pub type Timestamp = chrono::DateTime<chrono::Utc>;

aggregates! {
    /// A person who uses Tidemark, with roles and sealed personal data.
    User(identity::user, UserId) = "user", Public;
    /// What a user proves their identity with: a password.
    Credential(identity::credential, CredentialId) = "credential", Internal;
    /// The time for which a user is logged in on one device.
    Session(identity::session, SessionId) = "session", Internal;
    /// A category: a node of the tree that products are filed under.
    Category(market::category, CategoryId) = "category", Public;
    /// A product: a thing that a seller describes and auctions.
    Product(market::product, ProductId) = "product", Public;
    /// An auction of one product.
    Auction(market::auction, AuctionId) = "auction", Public;
    /// The hidden reserve: the price below which an auction does not sell.
    Reserve(market::reserve, ReserveId) = "reserve", Internal;
    /// A watch list: which auctions a user watches.
    WatchList(market::watch_list, WatchListId) = "watch_list", Public;
    /// Media: a file that a user uploads.
    Media(media::media, MediaId) = "media", Public;
    /// A media account: how many bytes of media a user has.
    MediaAccount(media::media_account, MediaAccountId) = "media_account", Internal;
    /// A message: what one person is told over one channel.
    Message(messaging::message, MessageId) = "message", Public;
    /// A contact point: an address that messages are for, and for how long none are sent to it.
    ContactPoint(messaging::contact_point, ContactPointId) = "contact_point", Public;
    /// A notification: what a user is told once, by the channels that the user wants.
    Notification(messaging::notification, NotificationId) = "notification", Public;
    /// The preferences of a user: by which channels the user wants to be notified of what.
    Preferences(messaging::preferences, PreferencesId) = "preferences", Public;
    /// A digest: what a user is told of a category in one mail.
    Digest(messaging::digest, DigestId) = "digest", Public;
    /// A template: what messages of a category say, in a language and by a channel.
    Template(messaging::template, TemplateId) = "template", Public;
    /// A text budget: how many segments of texts were asked for on one day.
    TextBudget(messaging::text_budget, TextBudgetId) = "text_budget", Public;
    /// A task: a call of a URL that a user schedules.
    Task(tasks::task, TaskId) = "task", Public;
    /// A run of a task: the attempts to call the URL for one slot.
    TaskRun(tasks::task_run, TaskRunId) = "task_run", Public;
    /// A reading: the record that an auditor looked at history.
    Reading(audit::reading, ReadingId) = "reading", Public;
    /// A repair: the record of what an operator did about a row that is parked.
    Repair(operations::repair, RepairId) = "repair", Public;
    /// A retry: the record that an operator had an action tried again.
    Retry(operations::retry, RetryId) = "retry", Public;
    /// A rebuild: the record of what an operator had done to a generation of a read model.
    Rebuild(operations::rebuild, RebuildId) = "rebuild", Public;
    /// A fork: the record that an operator had the log go on under a new timeline.
    Fork(operations::fork, ForkId) = "fork", Public;
    /// A publication: the record that an operator told the relay how to go on publishing the log.
    Publication(operations::publication, PublicationId) = "publication", Public;
}

#[cfg(test)]
mod tests;

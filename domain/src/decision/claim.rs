//! Claims, such as "one e-mail address, one user". Decisions read them through the view, and the append
//! takes and releases them.

use std::fmt;

/// The set of values within which the key of a claim is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ClaimScope {
    /// The keyed hash of a normalised e-mail address belongs to one user.
    Email,
    /// A slug belongs to one category.
    CategorySlug,
    /// A product is in at most one auction that is not over.
    AuctionedProduct,
    /// The keyed hash of an owner and a URL belongs to one task that is not retired.
    TaskUrl,
    /// A place for a task, of which each user has a number, belongs to one task that is not retired.
    TaskPlace,
    /// A place for a frequent task, of which each user has a number, belongs to one task that is neither paused nor retired.
    FrequentTaskPlace,
    /// There is one first admin.
    FirstAdmin,
    /// Of the notifications that tell one user of the same, the last one holds it.
    Notification,
    /// A place for a message of one kind to one user, of which there are as many as are sent in an hour, belongs to the message
    /// that took it last.
    MessagePlace,
    /// The digest of a user and a category that is open holds it.
    Digest,
    /// The keyed hash of a normalised e-mail address belongs to the contact point that knows how mails fare there.
    ContactPoint,
}

impl ClaimScope {
    /// The name of the scope in the log's table of claims.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::CategorySlug => "category_slug",
            Self::AuctionedProduct => "auctioned_product",
            Self::TaskUrl => "task_url",
            Self::TaskPlace => "task_place",
            Self::FrequentTaskPlace => "frequent_task_place",
            Self::FirstAdmin => "first_admin",
            Self::Notification => "notification",
            Self::MessagePlace => "message_place",
            Self::Digest => "digest",
            Self::ContactPoint => "contact_point",
        }
    }
}

/// A value that at most one stream may own at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// The set within which `key` is unique.
    pub scope: ClaimScope,
    /// The value, or its keyed hash where it is personal.
    pub key: String,
}

impl Claim {
    /// A claim on `key` within `scope`.
    #[must_use]
    pub fn new(scope: ClaimScope, key: impl fmt::Display) -> Self {
        Self {
            scope,
            key: key.to_string(),
        }
    }
}

//! Typed identifiers. Each is the id of a stream; values are UUIDv7, minted at the edge.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
        )]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

ids! {
    /// A user; also the subject whose key seals personal data.
    UserId;
    /// A user's credential.
    CredentialId;
    /// A session.
    SessionId;
    /// A category.
    CategoryId;
    /// A product.
    ProductId;
    /// An auction.
    AuctionId;
    /// An auction's hidden reserve.
    ReserveId;
    /// One page of history that an auditor read.
    ReadingId;
}

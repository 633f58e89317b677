//! The reasons for which commands on products are refused.

use crate::{Reason, RefusalKind};

/// Why a command on a product is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No product has that id.
    #[error("there is no such product")]
    NotFound,
    /// The product is another seller's.
    #[error("this product is another seller's")]
    NotTheSeller,
    /// The product is still a draft.
    #[error("the product is not listed yet")]
    NotListed,
    /// The product that is to be listed is listed already.
    #[error("the product is listed already")]
    Listed,
    /// The seller withdrew the product, and that is for ever.
    #[error("the product was withdrawn")]
    Withdrawn,
    /// The product was sold, and that is for ever.
    #[error("the product was sold")]
    Sold,
    /// The product is in an auction that is not over.
    #[error("the product is in an auction that is not over")]
    Auctioned,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::NotTheSeller => RefusalKind::Forbidden,
            Self::NotListed | Self::Listed | Self::Withdrawn | Self::Sold | Self::Auctioned => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "product_not_found",
            Self::NotTheSeller => "not_the_seller",
            Self::NotListed => "product_not_listed",
            Self::Listed => "product_already_listed",
            Self::Withdrawn => "product_withdrawn",
            Self::Sold => "product_sold",
            Self::Auctioned => "product_already_auctioned",
        }
    }
}

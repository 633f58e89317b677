//! Why a product says no.

use crate::{Kind, Reason};

/// Why it may not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No product has that id.
    #[error("there is no such product")]
    NotFound,
    /// It is another seller's.
    #[error("this product is another seller's")]
    NotTheSeller,
    /// It is a draft.
    #[error("the product is not listed yet")]
    NotListed,
    /// Listing what is listed.
    #[error("the product is listed already")]
    Listed,
    /// The seller withdrew it.
    #[error("the product was withdrawn")]
    Withdrawn,
    /// It was sold, and that is for ever.
    #[error("the product was sold")]
    Sold,
    /// It is in an auction that is not over.
    #[error("the product is in an auction that is not over")]
    Auctioned,
}

impl Reason for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::NotTheSeller => Kind::Forbidden,
            Self::NotListed | Self::Listed | Self::Withdrawn | Self::Sold | Self::Auctioned => {
                Kind::Conflict
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

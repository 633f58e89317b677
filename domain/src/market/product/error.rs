//! The reasons for which commands on products are refused.

use crate::{Code, Reason, RefusalKind};

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

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "product_not_found",
                meaning: "No product has this id.",
                what_to_do: "Check the id.",
            },
            Self::NotTheSeller => Code {
                name: "not_the_seller",
                meaning: "Only the seller may do this, and this is another seller's.",
                what_to_do: "Nothing: only the seller can.",
            },
            Self::NotListed => Code {
                name: "product_not_listed",
                meaning: "The product is still a draft.",
                what_to_do: "List the product first.",
            },
            Self::Listed => Code {
                name: "product_already_listed",
                meaning: "The product that is to be listed is listed.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::Withdrawn => Code {
                name: "product_withdrawn",
                meaning: "The seller withdrew the product, which cannot be undone.",
                what_to_do: "Draft it again as another product. Its pictures can be taken away, and nothing else of it be changed.",
            },
            Self::Sold => Code {
                name: "product_sold",
                meaning: "The product was sold, which cannot be undone.",
                what_to_do: "Draft another product. The pictures of this one can be taken away, and nothing else of it be changed.",
            },
            Self::Auctioned => Code {
                name: "product_already_auctioned",
                meaning: "The product is in an auction that is not over.",
                what_to_do: "Wait for the end of that auction, or cancel it.",
            },
        }
    }
}

//! Live updates: whoever follows an auction is sent its document when that changes. Documents may be
//! skipped where several changes follow each other quickly, but are never older than the one before.

mod changed_auctions;
mod documents;
mod followers;
mod reader;
mod update;

pub(crate) use changed_auctions::{PublishedPositions, changed_auctions, live_updates};
pub(crate) use followers::Followers;
pub(crate) use reader::{FirstDocuments, Reader};
pub(crate) use update::LiveUpdate;

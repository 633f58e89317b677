//! Answers made of stored documents, which are passed on as the folds wrote them, and the documents
//! that are kept in memory and in Redis because many ask for them.

mod breaker;
mod document;
mod hot;
mod page;

pub(crate) use document::{Document, id_of};
pub(crate) use hot::HotDocuments;
pub(crate) use page::DocumentPage;

//! One page of documents as an answer.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidemark_platform::pagination::Cursors;
use tidemark_platform::tidemark::Token;

use super::document::JSON;
use crate::error::Error;
use crate::freshness::{Fetched, ParkedMark};

/// One page of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentPage {
    /// The position that the documents reflect.
    token: Token,
    /// Whether rows of the list lack events.
    mark: ParkedMark,
    /// The documents as JSON texts, in the order of the list.
    documents: Vec<String>,
    /// The cursor of the next page, if there is one.
    next: Option<String>,
}

impl DocumentPage {
    /// The page of at most `limit` documents. The query must have asked for one more than that, which
    /// tells whether there is a next page. `page_end` reads from the last document of this page where
    /// the next one starts; the cursor is valid only for queries with the same `scope`, and holds what
    /// [`App::resume`](crate::app::App::resume) reads.
    ///
    /// # Errors
    /// If `page_end` cannot read the document, or the cursor cannot be written.
    pub(crate) fn new<E: Serialize>(
        fetched: Fetched<String>,
        limit: i64,
        (cursors, scope): (&Cursors, &str),
        page_end: impl FnOnce(&str) -> serde_json::Result<E>,
    ) -> Result<Self, Error> {
        let (token, mark) = (fetched.token(), fetched.mark());
        let mut documents = fetched.items;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut next = None;
        if documents.len() > limit {
            documents.truncate(limit);
            if let Some(last) = documents.last() {
                let position = (token.timeline, token.position, page_end(last)?);
                next = Some(cursors.encode(scope, &position)?);
            }
        }
        Ok(Self {
            token,
            mark,
            documents,
            next,
        })
    }
}

impl IntoResponse for DocumentPage {
    fn into_response(self) -> Response {
        let items = self.documents.join(",");
        // A cursor is base64url, so nothing in it needs an escape.
        let next = self
            .next
            .map_or_else(|| "null".to_owned(), |next| format!(r#""{next}""#));
        let body = format!(r#"{{"items":[{items}],"next":{next}}}"#);
        (self.token, self.mark, [(CONTENT_TYPE, JSON)], body).into_response()
    }
}

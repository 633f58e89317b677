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
        mut fetched: Fetched<String>,
        limit: i64,
        signed: (&Cursors, &str),
        page_end: impl FnOnce(&str) -> serde_json::Result<E>,
    ) -> Result<Self, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_next = fetched.items.len() > limit;
        fetched.items.truncate(limit);
        match fetched.items.last().filter(|_| has_next) {
            Some(last) => {
                let end = page_end(last)?;
                Self::cut(fetched, signed, &end)
            }
            None => Ok(Self {
                token: fetched.token(),
                mark: fetched.mark(),
                documents: fetched.items,
                next: None,
            }),
        }
    }

    /// The page of all these documents, after which the next one starts at `end`, whether or not there is anything.
    ///
    /// # Errors
    /// If the cursor cannot be written.
    pub(crate) fn cut(
        fetched: Fetched<String>,
        (cursors, scope): (&Cursors, &str),
        end: &impl Serialize,
    ) -> Result<Self, Error> {
        let token = fetched.token();
        let next = cursors.encode(scope, &(token.timeline, token.position, end))?;
        Ok(Self {
            token,
            mark: fetched.mark(),
            documents: fetched.items,
            next: Some(next),
        })
    }

    /// The same page with other documents, made of these.
    pub(crate) fn map(self, document: impl FnMut(String) -> String) -> Self {
        let documents = self.documents.into_iter().map(document).collect();
        Self { documents, ..self }
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

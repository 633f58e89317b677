//! Answers made of stored documents, which are passed on as the folds wrote them.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tidemark_platform::http::etag;
use tidemark_platform::pagination::Cursors;
use tidemark_platform::token::Token;
use uuid::Uuid;

use crate::error::Error;
use crate::snapshot::Snapshot;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One document. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct One {
    /// The position that it reflects.
    pub(crate) token: Token,
    /// The version of its stream, if the document tells it.
    etag: Option<(HeaderName, HeaderValue)>,
    /// JSON text.
    pub(crate) document: Bytes,
}

impl One {
    /// `document` is JSON text.
    pub(crate) fn new(token: Token, document: String) -> Self {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let version = serde_json::from_str::<Versioned>(&document);
        Self {
            token,
            etag: version.ok().map(|found| etag(found.version)),
            document: document.into(),
        }
    }
}

impl Snapshot<String> {
    /// The document that the statement found.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn one(mut self) -> Result<One, Error> {
        let token = self.token();
        let document = self.items.pop().ok_or(Error::NotFound)?;
        Ok(One::new(token, document))
    }
}

impl IntoResponse for One {
    fn into_response(self) -> Response {
        let body = ([(CONTENT_TYPE, JSON)], self.document);
        match self.etag {
            Some(tag) => (self.token, [tag], body).into_response(),
            None => (self.token, body).into_response(),
        }
    }
}

/// One page of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many {
    /// The position that they reflect.
    pub(crate) token: Token,
    /// JSON texts, in the order asked for.
    pub(crate) documents: Vec<String>,
    /// The cursor of the next page.
    pub(crate) next: Option<String>,
}

impl Many {
    /// The page of a statement that looked for one document more than `limit`, so as to know whether
    /// there is a next page. `key` reads from the last document where that one starts.
    ///
    /// # Errors
    /// If that document or the cursor cannot be read or written.
    pub(crate) fn page<K: Serialize>(
        snapshot: Snapshot<String>,
        limit: i64,
        (cursors, scope): (&Cursors, &str),
        key: impl FnOnce(&str) -> serde_json::Result<K>,
    ) -> Result<Self, Error> {
        let token = snapshot.token();
        let mut documents = snapshot.items;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut next = None;
        if documents.len() > limit {
            documents.truncate(limit);
            if let Some(last) = documents.last() {
                next = Some(cursors.encode(scope, &key(last)?)?);
            }
        }
        Ok(Self {
            token,
            documents,
            next,
        })
    }
}

impl IntoResponse for Many {
    fn into_response(self) -> Response {
        let items = self.documents.join(",");
        // A cursor is base64url: nothing in it needs an escape.
        let next = self
            .next
            .map_or_else(|| "null".to_owned(), |next| format!(r#""{next}""#));
        let body = format!(r#"{{"items":[{items}],"next":{next}}}"#);
        (self.token, [(CONTENT_TYPE, JSON)], body).into_response()
    }
}

/// The id of a document: where a page ends that is sorted by it.
pub(crate) fn id_of(document: &str) -> serde_json::Result<Uuid> {
    #[derive(Deserialize)]
    struct Identified {
        id: Uuid,
    }
    serde_json::from_str::<Identified>(document).map(|found| found.id)
}

//! One document as an answer.

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tidemark_platform::http::document_tag;
use tidemark_platform::tidemark::Token;
use uuid::Uuid;

use crate::error::Error;
use crate::freshness::{Fetched, ParkedMark};

/// The media type of a document.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// One document. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// The position that the document reflects.
    pub(crate) token: Token,
    /// Whether the document lacks events; unknown of one that did not come from its row.
    pub(crate) mark: Option<ParkedMark>,
    /// The `ETag` of the document, which begins with the version of its stream, if it states one.
    etag: Option<(HeaderName, HeaderValue)>,
    /// The document as JSON text.
    pub(crate) json: Bytes,
}

impl Document {
    /// A document in JSON that reflects the token's position.
    pub(crate) fn new(token: Token, json: String) -> Self {
        #[derive(Deserialize)]
        struct Versioned {
            version: u64,
        }
        let versioned = serde_json::from_str::<Versioned>(&json);
        Self {
            token,
            mark: None,
            etag: versioned
                .ok()
                .map(|found| document_tag(found.version, json.as_bytes())),
            json: json.into(),
        }
    }

    /// A document that is made for the answer, of rows that reflect the token's position and are marked so.
    ///
    /// # Errors
    /// If it is no JSON.
    pub(crate) fn made(
        token: Token,
        mark: Option<ParkedMark>,
        shown: &impl Serialize,
    ) -> Result<Self, Error> {
        let json = serde_json::to_string(shown)?;
        Ok(Self {
            mark,
            ..Self::new(token, json)
        })
    }

    /// The document that a query for one found.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it found none.
    pub(crate) fn from_fetched(mut fetched: Fetched<String>) -> Result<Self, Error> {
        let token = fetched.token();
        let mark = Some(fetched.mark());
        let json = fetched.items.pop().ok_or(Error::NotFound)?;
        Ok(Self {
            mark,
            ..Self::new(token, json)
        })
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let body = ([(CONTENT_TYPE, JSON)], self.json);
        match self.etag {
            Some(tag) => (self.token, self.mark, [tag], body).into_response(),
            None => (self.token, self.mark, body).into_response(),
        }
    }
}

/// The id of a document, which is where a page ends if it is sorted by id.
///
/// # Errors
/// If the document has none.
pub(crate) fn id_of(json: &str) -> serde_json::Result<Uuid> {
    #[derive(Deserialize)]
    struct Identified {
        id: Uuid,
    }
    serde_json::from_str::<Identified>(json).map(|found| found.id)
}

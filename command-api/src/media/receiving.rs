//! Receives the bytes of an upload, and keeps them part by part, so that a large file takes little memory.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::StatusCode;
use bytes::BytesMut;
use futures::StreamExt;
use tidemark_events::MediaId;
use tidemark_platform::http::Problem;
use tidemark_platform::media_store::Error;

use super::Media;
use super::problems::{of_store, too_large};
use crate::admission::{Permit, Share};

/// The right to send bytes.
pub struct Receiving<'a> {
    media: &'a Media,
    _permit: Permit,
}

impl Media {
    /// Admits a request that sends bytes.
    ///
    /// # Errors
    /// 429 if the user sends by too many requests already, 503 if too many are sent by all.
    pub fn receiving(&self, share: Share) -> Result<Receiving<'_>, Problem> {
        Ok(Receiving {
            media: self,
            _permit: self.receiving.admit(share)?,
        })
    }
}

impl Receiving<'_> {
    /// Keeps all bytes of a file of this length. A part that is there already was sent by the same request before, whose answer
    /// was lost.
    ///
    /// # Errors
    /// 400 if the body breaks off, 408 if it pauses for too long, 413 if it is longer than the file, and 503 or 507 if it cannot
    /// be kept.
    pub async fn receive(&self, id: MediaId, total: u64, body: Body) -> Result<(), Problem> {
        let part_bytes = self.media.settings.part_bytes;
        let mut body = body.into_data_stream();
        let mut waiting = BytesMut::new();
        let mut offset = 0;
        while let Some(bytes) = self.next(&mut body).await? {
            if offset + (waiting.len() + bytes.len()) as u64 > total {
                return Err(too_large(total));
            }
            waiting.extend_from_slice(&bytes);
            while waiting.len() >= part_bytes {
                let part = waiting.split_to(part_bytes).freeze();
                self.keep(id, offset, part).await?;
                offset += part_bytes as u64;
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        self.keep(id, offset, waiting.freeze()).await
    }

    async fn keep(&self, id: MediaId, offset: u64, part: Bytes) -> Result<(), Problem> {
        match self.media.store.put_part(id.0, offset, part).await {
            Ok(()) | Err(Error::Exists) => Ok(()),
            Err(error) => Err(of_store(&error)),
        }
    }

    /// The next bytes; none at the end.
    async fn next(&self, body: &mut BodyDataStream) -> Result<Option<Bytes>, Problem> {
        let silence = Duration::from_millis(self.media.settings.silence_ms);
        match tokio::time::timeout(silence, body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(Problem::bad_request(
                "unreadable_body",
                "The connection broke off before the body was complete.",
            )),
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "request_timeout",
                "The body did not arrive in time.",
            )),
        }
    }
}

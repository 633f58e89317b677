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

/// What becomes of the bytes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The request sends the whole file. A part that is there was sent by the same request before, whose answer was lost.
    Whole,
    /// The request goes on from an offset. What has arrived is kept if it breaks off, and a part that is there was sent by
    /// somebody else.
    Resumed,
}

impl Receiving<'_> {
    /// Keeps the bytes that a request sends, from an offset of the file on, whose whole length is `total`. Returns where the bytes
    /// end.
    ///
    /// # Errors
    /// 400 if the body breaks off, 408 if it pauses for too long, 409 if another request sends the same, 413 if it is longer than
    /// the file, and 503 or 507 if it cannot be kept.
    pub async fn receive(
        &self,
        id: MediaId,
        (from, total): (u64, u64),
        body: Body,
        mode: Mode,
    ) -> Result<u64, Problem> {
        let mut body = body.into_data_stream();
        let mut waiting = BytesMut::new();
        let mut offset = from;
        loop {
            let next = self.next(&mut body).await;
            if let Ok(Some(bytes)) = &next {
                if offset + (waiting.len() + bytes.len()) as u64 > total {
                    return Err(too_large(total));
                }
                waiting.extend_from_slice(bytes);
            }
            let goes_on = matches!(next, Ok(Some(_)));
            let keeps_rest = !goes_on && (next.is_ok() || mode == Mode::Resumed);
            while let Some(part) = self.part(&mut waiting, keeps_rest) {
                let end = offset + part.len() as u64;
                self.keep(id, offset, part, mode).await?;
                offset = end;
            }
            if !goes_on {
                return next.map(|_| offset);
            }
        }
    }

    /// The next part of what waits: a whole one, or the rest.
    fn part(&self, waiting: &mut BytesMut, keeps_rest: bool) -> Option<Bytes> {
        let part_bytes = self.media.settings.part_bytes;
        if waiting.len() >= part_bytes {
            Some(waiting.split_to(part_bytes).freeze())
        } else if keeps_rest && !waiting.is_empty() {
            Some(waiting.split().freeze())
        } else {
            None
        }
    }

    async fn keep(&self, id: MediaId, offset: u64, part: Bytes, mode: Mode) -> Result<(), Problem> {
        match self.media.store.put_part(id.0, offset, part).await {
            Ok(()) => Ok(()),
            Err(Error::Exists) if mode == Mode::Whole => Ok(()),
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

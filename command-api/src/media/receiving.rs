//! Receives the bytes of an upload, and keeps them part by part, so that a large file takes little memory.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use bytes::BytesMut;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tidemark_events::MediaId;
use tidemark_platform::http::{Problem, body_timeout, unreadable_body};
use tidemark_platform::media_store::MediaStore;
use tokio::time::Instant;

use super::Media;
use super::problems::{of_store, too_large};
use crate::admission::{Permit, Share};

/// The right to send bytes.
pub struct Receiving {
    media: Media,
    _permit: Permit,
}

impl Media {
    /// Admits a request that sends bytes.
    ///
    /// # Errors
    /// 429 if the user sends by too many requests already, 503 if too many are sent by all.
    pub fn receiving(&self, share: Share) -> Result<Receiving, Problem> {
        Ok(Receiving {
            media: self.clone(),
            _permit: self.receiving.admit(share)?,
        })
    }
}

impl Receiving {
    /// Takes all bytes of a file of this length, keeps them if they are those of media, and returns their SHA-256.
    ///
    /// # Errors
    /// 400 if the body breaks off, 408 if it pauses for too long, 413 if it is longer than the file, and 503 or 507 if it cannot
    /// be kept.
    pub async fn receive(
        &self,
        media: Option<MediaId>,
        total: u64,
        body: Body,
    ) -> Result<String, Problem> {
        let part_bytes = self.part_bytes();
        let mut arriving = self.arriving(body);
        let mut waiting = BytesMut::new();
        let mut sha256 = Sha256::new();
        let mut offset = 0;
        while let Some(bytes) = arriving.next().await? {
            if offset + (waiting.len() + bytes.len()) as u64 > total {
                return Err(too_large(total));
            }
            sha256.update(&bytes);
            waiting.extend_from_slice(&bytes);
            while waiting.len() >= part_bytes {
                let part = waiting.split_to(part_bytes).freeze();
                self.keep(media, offset, part).await?;
                offset += part_bytes as u64;
            }
        }
        if !waiting.is_empty() {
            self.keep(media, offset, waiting.freeze()).await?;
        }
        Ok(hex::encode(sha256.finalize()))
    }

    async fn keep(&self, media: Option<MediaId>, offset: u64, part: Bytes) -> Result<(), Problem> {
        let Some(id) = media else { return Ok(()) };
        let kept = self.media.store.put_part(id.0, offset, part).await;
        kept.map_err(|error| of_store(&error))
    }

    pub(super) const fn part_bytes(&self) -> usize {
        self.media.settings.part_bytes
    }

    pub(super) const fn store(&self) -> &MediaStore {
        &self.media.store
    }

    /// The bytes of a request, as they arrive.
    pub(super) fn arriving(&self, body: Body) -> Arriving {
        let settings = &self.media.settings;
        Arriving {
            body: body.into_data_stream(),
            silence: Duration::from_millis(settings.silence_ms),
            deadline: Instant::now() + Duration::from_millis(settings.request_ms),
        }
    }
}

/// The body of a request that is still on its way.
pub(super) struct Arriving {
    body: BodyDataStream,
    /// How long it may pause.
    silence: Duration,
    /// When it must be complete.
    deadline: Instant,
}

impl Arriving {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// 400 if the body breaks off, and 408 if it pauses or goes on for too long.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let until = self.deadline.min(Instant::now() + self.silence);
        match tokio::time::timeout_at(until, self.body.next()).await {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(unreadable_body()),
            Err(_) => Err(body_timeout()),
        }
    }
}

//! Receives the bytes of an upload, and keeps them part by part, so that a large file takes little memory.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use bytes::BytesMut;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tidemark_platform::http::{Problem, body_timeout, unreadable_body};
use tidemark_platform::media_store::MediaStore;
use tokio::time::Instant;

use super::parts::Upload;
use super::problems::{inspected_too_much, too_large};
use super::{Media, quota};
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
    /// 429 if the user sends by too many requests already, or pictures of the user took too long lately, and 503 if too many are
    /// sent by all.
    pub fn receiving(&self, share: Share) -> Result<Receiving, Problem> {
        if let Some(wait) = self.spending.wait(&share, std::time::Instant::now()) {
            return Err(inspected_too_much(wait));
        }
        Ok(Receiving {
            media: self.clone(),
            _permit: self.receiving.admit(share)?,
        })
    }
}

impl Receiving {
    /// Takes all bytes of a file of this length, keeps them as parts of an upload if there is one, and returns their SHA-256.
    ///
    /// # Errors
    /// 400 if the body breaks off, 408 if it pauses for too long, 413 if it is longer than the file, and 503 or 507 if it cannot
    /// be kept.
    pub async fn receive(
        &self,
        upload: Option<&Upload>,
        total: u64,
        body: Body,
    ) -> Result<String, Problem> {
        let mut arriving = self.arriving(body);
        let mut waiting = self.part_buffer(total);
        let mut sha256 = Sha256::new();
        let mut offset = 0;
        while let Some(mut bytes) = arriving.next().await? {
            if offset + (waiting.len() + bytes.len()) as u64 > total {
                return Err(too_large(total));
            }
            sha256.update(&bytes);
            while let Some(part) = waiting.fill(&mut bytes) {
                let part_bytes = part.len() as u64;
                self.keep(upload, offset, part).await?;
                offset += part_bytes;
            }
        }
        if waiting.len() > 0 {
            self.keep(upload, offset, waiting.take()).await?;
        }
        Ok(hex::encode(sha256.finalize()))
    }

    async fn keep(&self, upload: Option<&Upload>, offset: u64, part: Bytes) -> Result<(), Problem> {
        match upload {
            None => Ok(()),
            Some(upload) => upload.keep(&self.media.store, offset, part).await,
        }
    }

    pub(super) const fn part_bytes(&self) -> usize {
        self.media.settings.part_bytes
    }

    /// A buffer for the parts of a file of so many bytes.
    pub(super) fn part_buffer(&self, total: u64) -> PartBuffer {
        PartBuffer {
            bytes: self.room_for_part(total),
            part_bytes: self.part_bytes(),
        }
    }

    /// Room for a part of a file of so many bytes, so that what arrives does not grow beyond it.
    pub(super) fn room_for_part(&self, total: u64) -> BytesMut {
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        BytesMut::with_capacity(self.part_bytes().min(total))
    }

    /// The most parts of an upload of so many bytes. A part takes the disk what a file takes, however small it is, and all of them
    /// no more than what the upload counts.
    pub(super) fn parts_max(&self, total: u64) -> u64 {
        let settings = &self.media.settings;
        let file = settings.file_overhead_bytes.unsigned_abs().max(1);
        let counted = total.saturating_add(quota(settings).overhead.unsigned_abs());
        settings.parts_per_upload_max.min(counted / file)
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
            rate_min: settings.rate_min,
            waited: Duration::ZERO,
            bytes: 0,
            deadline: Instant::now() + Duration::from_millis(settings.request_ms),
        }
    }
}

/// The bytes of a part that have arrived. It never holds more than a part, however large the pieces are in which they arrive.
pub(super) struct PartBuffer {
    bytes: BytesMut,
    part_bytes: usize,
}

impl PartBuffer {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes bytes up to the end of the part, and returns it if it is complete. What is over stays in `arrived`.
    pub(super) fn fill(&mut self, arrived: &mut Bytes) -> Option<Bytes> {
        let room = self.part_bytes - self.len();
        let taken = arrived.split_to(room.min(arrived.len()));
        self.bytes.extend_from_slice(&taken);
        (self.len() == self.part_bytes).then(|| self.take())
    }

    /// The part as far as it has arrived. The next one begins.
    pub(super) fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }
}

/// The body of a request that is still on its way.
pub(super) struct Arriving {
    body: BodyDataStream,
    /// How long it may pause.
    silence: Duration,
    /// How many bytes must come in a second, of all that was waited for.
    rate_min: u64,
    /// How long was waited for bytes.
    waited: Duration,
    /// How many have come.
    bytes: u64,
    /// When it must be complete.
    deadline: Instant,
}

impl Arriving {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// 400 if the body breaks off, and 408 if it pauses or goes on for too long, or comes too slowly.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let begin = Instant::now();
        // What was fast before may pause, but nobody holds a place by a byte now and then.
        let earned = Duration::from_millis(self.bytes.saturating_mul(1_000) / self.rate_min);
        let patience = (self.silence + earned).saturating_sub(self.waited);
        let until = self.deadline.min(begin + self.silence.min(patience));
        let next = tokio::time::timeout_at(until, self.body.next()).await;
        self.waited += begin.elapsed();
        if let Ok(Some(Ok(bytes))) = &next {
            self.bytes += bytes.len() as u64;
        }
        match next {
            Ok(None) => Ok(None),
            Ok(Some(Ok(bytes))) => Ok(Some(bytes)),
            Ok(Some(Err(_))) => Err(unreadable_body()),
            Err(_) => Err(body_timeout()),
        }
    }
}

//! Uploads that go on after they were interrupted. What has arrived is kept, whatever becomes of the request that sent it.

use axum::body::{Body, Bytes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tidemark_events::MediaId;
use tidemark_events::media::media::Purpose;
use tidemark_platform::http::Problem;

use super::Media;
use super::parts::{Upload, parts};
use super::problems::{checksum_mismatch, invalid_header, pieces_too_small, too_large};
use super::receiving::{Arriving, Receiving};

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// From where on the client sends. While everything has arrived and the file is not stored, because that failed, this is where
    /// the last part begins: the client sends it again, and with it has the file looked at again.
    pub offset: u64,
    /// How many parts are kept.
    parts: u64,
    is_complete: bool,
    /// Whether the store has lost what it kept of the last part. No other can take its place, so the upload cannot go on.
    is_lost: bool,
}

impl Progress {
    /// Whether the upload cannot go on, because the store has lost some of it.
    #[must_use]
    pub const fn is_lost(self) -> bool {
        self.is_lost
    }

    /// Whether bytes from this offset on may be sent. The last part may be sent again in pieces of any size.
    #[must_use]
    pub const fn goes_on_at(self, offset: u64) -> bool {
        offset == self.offset || (self.is_complete && offset > self.offset)
    }
}

/// What the bytes of a request must have.
#[derive(Clone, Debug)]
pub enum Checksum {
    /// By SHA-1, which many clients know.
    Sha1(Vec<u8>),
    /// By SHA-256.
    Sha256(Vec<u8>),
}

impl Checksum {
    /// The checksum that `Upload-Checksum` names.
    ///
    /// # Errors
    /// 400 if it has another form, or the algorithm is not known.
    pub fn parse(header: &str) -> Result<Self, Problem> {
        let parsed = header.split_once(' ').and_then(|(algorithm, value)| {
            let value = STANDARD.decode(value).ok()?;
            match (algorithm, value.len()) {
                ("sha1", 20) => Some(Self::Sha1(value)),
                ("sha256", 32) => Some(Self::Sha256(value)),
                _ => None,
            }
        });
        let detail =
            "Upload-Checksum must be `sha1` or `sha256`, a blank, and the checksum in Base64.";
        parsed.ok_or_else(|| invalid_header(detail))
    }

    fn is_of(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Sha1(expected) => Sha1::digest(bytes).ct_eq(expected).into(),
            Self::Sha256(expected) => Sha256::digest(bytes).ct_eq(expected).into(),
        }
    }
}

impl Media {
    /// How far an upload of so many bytes has come.
    ///
    /// # Errors
    /// 503 if the store does not answer.
    pub async fn progress(
        &self,
        id: MediaId,
        bytes: u64,
        purpose: Purpose,
    ) -> Result<Progress, Problem> {
        let parts = parts(&self.store, id, purpose.is_personal()).await?;
        let Some(last) = parts.last() else {
            return Ok(Progress {
                offset: 0,
                parts: 0,
                is_complete: false,
                is_lost: false,
            });
        };
        let end = last.offset + last.bytes;
        let is_complete = end >= bytes;
        Ok(Progress {
            offset: if is_complete { last.offset } else { end },
            parts: parts.len() as u64,
            is_complete,
            is_lost: last.bytes == 0,
        })
    }

    /// Whether the store has anything of an upload, from its beginning on.
    ///
    /// # Errors
    /// 503 if the store does not answer.
    pub async fn has_parts(&self, id: MediaId) -> Result<bool, Problem> {
        let parts = parts(&self.store, id, false).await?;
        Ok(!parts.is_empty())
    }
}

impl Receiving {
    /// Keeps the next bytes of an upload, from an offset on, and returns how many of it have arrived, of so many in total.
    ///
    /// # Errors
    /// As [`Self::receive`], 409 if another request has sent these bytes meanwhile, 422 if they are so few that the upload would
    /// have too many parts, and 460 if they have another checksum. Of the last two none is kept.
    pub async fn resume(
        self,
        upload: Upload,
        progress: Progress,
        (offset, total): (u64, u64),
        body: Body,
        checksum: Option<Checksum>,
    ) -> Result<u64, Problem> {
        let arriving = self.arriving(body);
        let resuming = Resuming {
            receiving: self,
            upload,
            parts: progress.parts,
            progress,
            total,
            offset,
        };
        match checksum {
            None => resuming.keep_all(arriving).await,
            Some(checksum) => resuming.keep_checked(arriving, &checksum).await,
        }
    }
}

/// An upload that goes on.
struct Resuming {
    receiving: Receiving,
    upload: Upload,
    progress: Progress,
    total: u64,
    /// How many parts are kept.
    parts: u64,
    /// How many bytes are kept.
    offset: u64,
}

impl Resuming {
    /// Keeps what arrives part by part, and what is left over as a smaller part, also if the body breaks off. If there is no room
    /// for a smaller part, the client sends that again with what follows it.
    async fn keep_all(mut self, mut arriving: Arriving) -> Result<u64, Problem> {
        let part_bytes = self.receiving.part_bytes();
        let begin = self.offset;
        let mut waiting = self.receiving.part_buffer(self.total - begin);
        loop {
            match arriving.next().await {
                Ok(Some(mut bytes)) => {
                    self.check_room((waiting.len() + bytes.len()) as u64)?;
                    while let Some(part) = waiting.fill(&mut bytes) {
                        self.keep(part).await?;
                    }
                }
                Ok(None) if self.has_room_for_part(waiting.len()) => {
                    self.keep(waiting.take()).await?;
                    return Ok(self.offset);
                }
                Ok(None) if self.offset == begin => return Err(pieces_too_small(part_bytes)),
                Ok(None) => return Ok(self.offset),
                Err(problem) => {
                    if self.has_room_for_part(waiting.len()) {
                        self.keep(waiting.take()).await?;
                    }
                    return Err(problem);
                }
            }
        }
    }

    /// Keeps what arrives if it is what the client meant to send. It is one part, so that it is kept as a whole or not at all.
    async fn keep_checked(
        mut self,
        mut arriving: Arriving,
        checksum: &Checksum,
    ) -> Result<u64, Problem> {
        let part_bytes = self.receiving.part_bytes();
        let mut waiting = self.receiving.room_for_part(self.total - self.offset);
        while let Some(bytes) = arriving.next().await? {
            let arrived = waiting.len() + bytes.len();
            self.check_room(arrived as u64)?;
            if arrived > part_bytes {
                return Err(too_large(part_bytes as u64));
            }
            waiting.extend_from_slice(&bytes);
        }
        if !checksum.is_of(&waiting) {
            return Err(checksum_mismatch());
        }
        if !self.has_room_for_part(waiting.len()) {
            return Err(pieces_too_small(part_bytes));
        }
        self.keep(waiting.freeze()).await?;
        Ok(self.offset)
    }

    fn check_room(&self, bytes: u64) -> Result<(), Problem> {
        if self.offset + bytes > self.total {
            return Err(too_large(self.total));
        }
        Ok(())
    }

    /// Whether a part of so many bytes leaves room for the rest in parts of full size. One of full size always does.
    fn has_room_for_part(&self, bytes: usize) -> bool {
        let part_bytes = self.receiving.part_bytes() as u64;
        let rest = self.total.saturating_sub(self.offset + bytes as u64);
        let parts = self.parts + 1 + rest.div_ceil(part_bytes);
        let is_small = bytes > 0 && (bytes as u64) < part_bytes && rest > 0;
        !is_small || self.progress.is_complete || parts <= self.receiving.parts_max(self.total)
    }

    /// Keeps a part behind those that are kept, unless it is of the last one, which was sent again. No two requests can keep one at
    /// the same offset, so parts never overlap.
    async fn keep(&mut self, part: Bytes) -> Result<(), Problem> {
        let bytes = part.len() as u64;
        if bytes > 0 && !self.progress.is_complete {
            let store = self.receiving.store();
            let kept = self.upload.keep(store, self.offset, part);
            kept.await?;
            self.parts += 1;
        }
        self.offset += bytes;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_of_its_bytes_alone() {
        for (header, text) in [
            ("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "hello"),
            (
                "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
                "hello",
            ),
        ] {
            let checksum = Checksum::parse(header).unwrap();
            assert!(checksum.is_of(text.as_bytes()), "{header}");
            assert!(!checksum.is_of(b"hellp"), "{header}");
        }
    }

    #[test]
    fn a_checksum_of_another_form_is_refused() {
        for header in [
            "",
            "sha1",
            "sha1 ",
            "md5 XUFAKrxLKna5cZ2REBfFkg==",
            "sha1 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=",
            "sha256 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
            "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00",
            "SHA1 qvTGHdzF6KLavt4PO0gs2a6pQ00=",
            "sha1  qvTGHdzF6KLavt4PO0gs2a6pQ00=",
        ] {
            let refused = Checksum::parse(header).unwrap_err();
            assert_eq!(refused.code(), "invalid_upload_header", "{header}");
        }
    }
}

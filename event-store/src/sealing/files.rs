//! Files about a person. A file is sealed in chunks, each of which opens by itself, so that a part of it can be read without the
//! rest.
//!
//! A sealed file begins with the key of the file, wrapped under the key of its subject, and the prefix of all nonces, which is
//! random. The chunks follow, each with its tag. They are encrypted by the construction STREAM, whose nonces say which chunk it is
//! and whether it is the last one: a file whose chunks were swapped, or that was cut off, does not open.

use std::ops::Range;

use aead_stream::{NewStream, StreamBE32, StreamPrimitive};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use tidemark_events::UserId;

use super::{
    KEY_BYTES, NONCE_BYTES, SealError, SubjectKey, associated_data, decrypt, encrypt, random,
};

/// How many bytes a chunk holds, but for the last one. It is part of the form of sealed files, and so no setting.
const CHUNK_BYTES: u32 = 65_536;
const TAG_BYTES: usize = 16;
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES as usize + TAG_BYTES;
const PREFIX_BYTES: usize = 19;
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// How many bytes stand before the first chunk.
pub const SEALED_HEADER_BYTES: u64 = (WRAPPED_BYTES + PREFIX_BYTES) as u64;

/// How many bytes a file had before it was sealed, which has so many now.
#[must_use]
pub const fn plain_file_bytes(sealed: u64) -> u64 {
    let chunks = sealed.saturating_sub(SEALED_HEADER_BYTES);
    let tags = chunks.div_ceil(SEALED_CHUNK_BYTES as u64) * TAG_BYTES as u64;
    chunks.saturating_sub(tags)
}

impl SubjectKey {
    /// Seals a file. Only a file of the same name can be opened again.
    ///
    /// # Errors
    /// [`SealError::Broken`] if the file has more than 2³² chunks.
    pub fn seal_file(&self, name: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let secret = random::<KEY_BYTES>();
        let prefix = random::<PREFIX_BYTES>();
        let nonce = random::<NONCE_BYTES>();
        let aad = associated_data(self.subject, self.version, name);
        let mut sealed = nonce.to_vec();
        sealed.extend(encrypt(&self.cipher, nonce, &aad, &secret)?);
        sealed.extend(prefix);
        let file = SealedFile::new(&secret, prefix, plain.len() as u64)?;
        for (position, chunk) in (0..=file.last).zip(plain.chunks(CHUNK_BYTES as usize)) {
            let is_last = position == file.last;
            let chunk = file.stream.encrypt(position, is_last, chunk);
            sealed.extend(chunk.map_err(|_| SealError::Broken)?);
        }
        Ok(sealed)
    }

    /// Opens a sealed file as a whole, which is for small ones.
    ///
    /// # Errors
    /// [`SealError::Broken`] if it is not a file of this name and subject, was altered, or has no bytes: of such a file there is no
    /// chunk that proves where it ends.
    pub fn open_whole_file(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let header = usize::try_from(SEALED_HEADER_BYTES).map_err(|_| SealError::Broken)?;
        let (header, chunks) = sealed.split_at_checked(header).ok_or(SealError::Broken)?;
        if chunks.is_empty() {
            return Err(SealError::Broken);
        }
        let file = self.open_file(name, header, plain_file_bytes(sealed.len() as u64))?;
        let mut plain = Vec::with_capacity(chunks.len());
        for (position, chunk) in (0..=file.last).zip(chunks.chunks(SEALED_CHUNK_BYTES)) {
            plain.extend(file.open_chunk(position, chunk)?);
        }
        Ok(plain)
    }

    /// Opens the header of a sealed file that held so many bytes before it was sealed.
    ///
    /// # Errors
    /// [`SealError::Broken`] if it is not the header of a file of this name and subject.
    pub fn open_file(
        &self,
        name: &str,
        header: &[u8],
        bytes: u64,
    ) -> Result<SealedFile, SealError> {
        let (wrapped, prefix) = header
            .split_at_checked(WRAPPED_BYTES)
            .ok_or(SealError::Broken)?;
        let (nonce, wrapped) = wrapped.split_at(NONCE_BYTES);
        let aad = associated_data(self.subject, self.version, name);
        let secret = decrypt(&self.cipher, nonce, &aad, wrapped)?;
        let prefix = prefix.try_into().map_err(|_| SealError::Broken)?;
        SealedFile::new(&secret, prefix, bytes)
    }

    /// Whose key it is.
    #[must_use]
    pub const fn subject(&self) -> UserId {
        self.subject
    }

    /// The number of the key among those of its subject.
    #[must_use]
    pub const fn version(&self) -> i32 {
        self.version
    }
}

/// A sealed file whose chunks can be opened.
pub struct SealedFile {
    stream: StreamBE32<XChaCha20Poly1305>,
    bytes: u64,
    /// The number of the last chunk.
    last: u32,
}

/// The chunks of a sealed file in which a range of its bytes lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRange {
    /// Where the chunks lie in the sealed file.
    pub sealed: Range<u64>,
    /// The number of the first of them.
    pub first: u32,
    /// How many bytes of the first are before the range.
    pub before: usize,
    /// How many bytes the range has.
    pub bytes: u64,
}

impl SealedFile {
    fn new(secret: &[u8], prefix: [u8; PREFIX_BYTES], bytes: u64) -> Result<Self, SealError> {
        let cipher = XChaCha20Poly1305::new_from_slice(secret).map_err(|_| SealError::Broken)?;
        let last = bytes.saturating_sub(1) / u64::from(CHUNK_BYTES);
        Ok(Self {
            stream: StreamBE32::from_aead(cipher, &prefix.into()),
            bytes,
            last: u32::try_from(last).map_err(|_| SealError::Broken)?,
        })
    }

    /// The chunks in which a range lies, which is within the file and not empty.
    ///
    /// # Errors
    /// [`SealError::Broken`] if it is not.
    pub fn chunks_of(&self, range: &Range<u64>) -> Result<SealedRange, SealError> {
        if range.is_empty() || range.end > self.bytes {
            return Err(SealError::Broken);
        }
        let chunk = u64::from(CHUNK_BYTES);
        let (first, last) = (range.start / chunk, (range.end - 1) / chunk);
        let tags = TAG_BYTES as u64;
        let end = ((last + 1) * chunk).min(self.bytes) + (last + 1) * tags;
        let before = usize::try_from(range.start % chunk).map_err(|_| SealError::Broken)?;
        Ok(SealedRange {
            sealed: SEALED_HEADER_BYTES + first * (chunk + tags)..SEALED_HEADER_BYTES + end,
            first: u32::try_from(first).map_err(|_| SealError::Broken)?,
            before,
            bytes: range.end - range.start,
        })
    }

    /// How many bytes the sealed chunk with this number has.
    #[must_use]
    pub fn chunk_bytes(&self, position: u32) -> usize {
        let begin = u64::from(position) * u64::from(CHUNK_BYTES);
        let plain = self.bytes.saturating_sub(begin).min(u64::from(CHUNK_BYTES));
        usize::try_from(plain)
            .unwrap_or(usize::MAX)
            .saturating_add(TAG_BYTES)
    }

    /// Opens the chunk with this number.
    ///
    /// # Errors
    /// [`SealError::Broken`] if it is not that chunk.
    pub fn open_chunk(&self, position: u32, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let is_last = position == self.last;
        let opened = self.stream.decrypt(position, is_last, sealed);
        opened.map_err(|_| SealError::Broken)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HEADER: usize = WRAPPED_BYTES + PREFIX_BYTES;
    const CHUNK: usize = SEALED_CHUNK_BYTES;
    const NAME: &str = "media/7/full";

    fn key(subject: u128, secret: u8) -> SubjectKey {
        SubjectKey {
            subject: UserId(Uuid::from_u128(subject)),
            version: 1,
            cipher: XChaCha20Poly1305::new(&[secret; KEY_BYTES].into()),
        }
    }

    fn plain(bytes: usize) -> Vec<u8> {
        (0..=250).cycle().take(bytes).collect()
    }

    /// The bytes of a range, opened as somebody does who has the sealed file.
    fn open(sealed: &[u8], range: Range<u64>, bytes: u64) -> Result<Vec<u8>, SealError> {
        let file = key(1, 9).open_file(NAME, &sealed[..HEADER], bytes)?;
        let found = file.chunks_of(&range)?;
        let place = |it: u64| usize::try_from(it).unwrap();
        let mut rest = sealed
            .get(place(found.sealed.start)..place(found.sealed.end))
            .ok_or(SealError::Broken)?;
        let mut opened = Vec::new();
        for position in found.first.. {
            if rest.is_empty() {
                break;
            }
            let (chunk, others) = rest.split_at(file.chunk_bytes(position));
            opened.extend(file.open_chunk(position, chunk)?);
            rest = others;
        }
        Ok(opened[found.before..][..place(found.bytes)].to_vec())
    }

    #[test]
    fn a_small_file_opens_as_a_whole_or_not_at_all() {
        for bytes in [1, 2, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let plain = plain(bytes);
            let sealed = key(1, 9).seal_file(NAME, &plain).unwrap();
            assert_eq!(plain_file_bytes(sealed.len() as u64), bytes as u64);
            assert_eq!(key(1, 9).open_whole_file(NAME, &sealed).unwrap(), plain);
            let mut altered = sealed.clone();
            *altered.last_mut().unwrap() ^= 1;
            let begin = &sealed[..sealed.len() - 1];
            for (key, name, sealed) in [
                (key(1, 9), NAME, &*altered),
                (key(1, 9), NAME, begin),
                (key(1, 9), NAME, &sealed[..HEADER]),
                (key(1, 9), NAME, b""),
                (key(1, 9), "media/7/other", &*sealed),
                (key(2, 9), NAME, &*sealed),
            ] {
                let opened = key.open_whole_file(name, sealed);
                assert!(matches!(opened, Err(SealError::Broken)));
            }
        }
    }

    #[test]
    fn a_range_across_chunks_is_that_of_the_plain_file() {
        for bytes in [1, 65_535, 65_536, 65_537, 131_072, 200_000] {
            let plain = plain(bytes);
            let sealed = key(1, 9).seal_file(NAME, &plain).unwrap();
            assert_eq!(
                sealed.len(),
                HEADER + bytes + bytes.div_ceil(65_536) * TAG_BYTES
            );
            let end = bytes as u64;
            for range in [
                0..end,
                0..1,
                end - 1..end,
                65_000..66_000,
                65_535..65_537,
                65_536..131_073,
            ] {
                if range.end <= end && range.start < range.end {
                    let place =
                        usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                    assert_eq!(open(&sealed, range, end).unwrap(), plain[place]);
                }
            }
        }
    }

    #[test]
    fn what_was_swapped_cut_off_or_altered_does_not_open() {
        let sealed = key(1, 9).seal_file(NAME, &plain(200_000)).unwrap();
        let is_broken = |sealed: &[u8], bytes: u64| {
            assert!(matches!(
                open(sealed, 0..bytes, bytes),
                Err(SealError::Broken)
            ));
        };
        let mut swapped = sealed.clone();
        let (one, other) = swapped[HEADER..].split_at_mut(CHUNK);
        one.swap_with_slice(&mut other[..CHUNK]);
        is_broken(&swapped, 200_000);
        // Cut off between two chunks, by somebody who also says that the file is shorter.
        is_broken(&sealed[..HEADER + 2 * CHUNK], 131_072);
        is_broken(&sealed[..sealed.len() - 1], 199_999);
        for at in [0, 30, WRAPPED_BYTES, HEADER, sealed.len() - 1] {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            is_broken(&altered, 200_000);
        }
    }

    #[test]
    fn a_file_opens_under_its_name_for_its_subject_alone() {
        let sealed = key(1, 9).seal_file(NAME, b"a face").unwrap();
        let header = &sealed[..HEADER];
        assert!(key(1, 9).open_file(NAME, header, 6).is_ok());
        assert!(key(1, 9).open_file("media/8/full", header, 6).is_err());
        assert!(key(2, 9).open_file(NAME, header, 6).is_err());
        assert!(key(1, 8).open_file(NAME, header, 6).is_err());
        assert!(!sealed.windows(6).any(|it| it == b"a face"));
    }
}

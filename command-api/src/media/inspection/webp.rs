//! What a file of WebP says about itself, before its decoder believes it.

/// What stands before the first chunk: the name of the container, how many bytes follow, and the name of the format.
const HEADER_BYTES: usize = 12;
/// What stands before the content of a chunk: its name, and how many bytes the content has.
const CHUNK_HEADER_BYTES: usize = 8;

/// Whether each chunk ends within the file. The decoder takes as much memory for metadata as the header of its chunk says.
pub(super) fn has_whole_chunks(file: &[u8]) -> bool {
    let length_at = |at: usize| {
        let bytes = file.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*bytes)).ok()
    };
    let Some(announced) = length_at(4) else {
        return false;
    };
    // What follows the container is nothing of the picture.
    let end = file.len().min(announced.saturating_add(8));
    let mut at = HEADER_BYTES;
    while at + CHUNK_HEADER_BYTES <= end {
        let content = at + CHUNK_HEADER_BYTES;
        match length_at(content - 4) {
            Some(bytes) if bytes <= file.len() - content => {
                // Chunks begin at even places.
                at = content + bytes.next_multiple_of(2);
            }
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(announced: u32, chunks: &[(&[u8; 4], u32, &[u8])]) -> Vec<u8> {
        let mut file = [b"RIFF", &announced.to_le_bytes()[..], b"WEBP"].concat();
        for (name, bytes, content) in chunks {
            file.extend([&name[..], &bytes.to_le_bytes(), content].concat());
        }
        file
    }

    #[test]
    fn a_chunk_is_not_longer_than_the_file() {
        let picture = (b"VP8L", 4, &b"abcd"[..]);
        for (chunks, expected) in [
            (vec![picture], true),
            (vec![picture, (b"EXIF", 3, b"abc\0")], true),
            // The last byte, which only fills up, is often left out.
            (vec![picture, (b"EXIF", 3, b"abc")], true),
            (vec![picture, (b"EXIF", 4, b"abc")], false),
            (vec![(b"EXIF", u32::MAX - 255, b"abcd"), picture], false),
            (vec![], true),
        ] {
            let found = has_whole_chunks(&file(1_000, &chunks));
            assert_eq!(found, expected, "{chunks:?}");
        }
        assert!(!has_whole_chunks(b"RIFF"));
    }

    #[test]
    fn what_follows_the_container_has_no_chunks() {
        let file = file(16, &[(b"VP8L", 4, b"abcd"), (b"junk", u32::MAX, b"")]);
        assert!(has_whole_chunks(&file));
    }
}

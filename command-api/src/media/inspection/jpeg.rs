//! How often the decoder of JPEG goes over a picture, by its headers: once for each scan, of which a small file can have very many.

/// The most scans that the decoder reads.
const SCANS_MAX: u64 = 100;

const START_OF_SCAN: u8 = 0xda;
const BASELINE: u8 = 0xc0;
const EXTENDED: u8 = 0xc1;
const PROGRESSIVE: u8 = 0xc2;

/// The most scans of a file of which the decoder says that it has so many pixels. A file that is not as others are, of which the
/// decoder may make something else than is made here, has the most that there can be.
pub(super) fn scans(file: &[u8], width: u32, height: u32) -> u64 {
    let found = Frame::find(file).filter(|it| (it.width, it.height) == (width, height));
    found
        .and_then(|frame| frame.scans(file))
        .unwrap_or(SCANS_MAX)
}

/// The header of a picture.
#[derive(Debug)]
struct Frame {
    is_progressive: bool,
    width: u32,
    height: u32,
    components: u8,
    /// Where in the file the header of the first scan begins.
    first_scan: usize,
}

impl Frame {
    /// The header of the picture in a file, whose segments follow each other as they should.
    fn find(file: &[u8]) -> Option<Self> {
        let mut found = None;
        // After the marker of the beginning of the file.
        let mut at = 2;
        loop {
            let (&first, &marker) = (file.get(at)?, file.get(at + 1)?);
            let segment = file.get(at + 2..)?;
            let bytes = usize::from(u16::from_be_bytes([*segment.first()?, *segment.get(1)?]));
            let content = segment.get(2..bytes)?;
            match (first, marker) {
                (0xff, START_OF_SCAN) => {
                    let frame: Self = found?;
                    return Some(Self {
                        first_scan: at,
                        ..frame
                    });
                }
                (0xff, BASELINE | EXTENDED | PROGRESSIVE) if found.is_none() => {
                    found = Some(Self::read(content, marker == PROGRESSIVE)?);
                }
                // Tables, and what applications say.
                (0xff, 0xc4 | 0xdb | 0xdd | 0xe0..=0xef | 0xfe) => {}
                _ => return None,
            }
            at += 2 + bytes;
        }
    }

    fn read(content: &[u8], is_progressive: bool) -> Option<Self> {
        let [_precision, height @ .., components] = content.first_chunk::<6>()?;
        let [high, low, wide, narrow] = *height;
        Some(Self {
            is_progressive,
            width: u16::from_be_bytes([wide, narrow]).into(),
            height: u16::from_be_bytes([high, low]).into(),
            components: *components,
            first_scan: 0,
        })
    }

    fn scans(&self, file: &[u8]) -> Option<u64> {
        let scans = file.get(self.first_scan..)?;
        let in_first = *scans.get(4)?;
        if !self.is_progressive && in_first == self.components {
            // It is decoded row by row.
            return Some(1);
        }
        // There may be fewer, as this is also found where it begins no scan, such as behind the end of the picture.
        let begins = scans.windows(2).filter(|it| **it == [0xff, START_OF_SCAN]);
        Some((begins.count() as u64).min(SCANS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a file of 4,096 × 4,096 pixels: an application's segment, the frame, and the headers of scans.
    fn file(frame: u8, components: u8, in_scans: &[u8]) -> Vec<u8> {
        let mut file = b"\xff\xd8\xff\xe0\0\x07JFIF\0".to_vec();
        let bytes = 8 + 3 * components;
        file.extend([0xff, frame, 0, bytes, 8, 0x10, 0, 0x10, 0, components]);
        for id in 0..components {
            file.extend([id, 0x11, 0]);
        }
        for count in in_scans {
            file.extend([0xff, START_OF_SCAN, 0, 6 + 2 * count, *count]);
            file.extend(vec![0; usize::from(2 * count) + 3]);
            file.extend([0x12, 0x34]);
        }
        file
    }

    const SIDE: u32 = 4_096;

    #[test]
    fn the_scans_of_a_file_are_counted_unless_it_is_decoded_row_by_row() {
        for (frame, components, in_scans, expected) in [
            (BASELINE, 3, &[3][..], 1),
            (BASELINE, 1, &[1], 1),
            // The components of a picture may come one after another.
            (BASELINE, 3, &[1, 1, 1], 3),
            (PROGRESSIVE, 4, &[4, 1, 1], 3),
            (PROGRESSIVE, 3, &[3], 1),
            (PROGRESSIVE, 3, &[3; 7], 7),
        ] {
            let file = file(frame, components, in_scans);
            let found = scans(&file, SIDE, SIDE);
            assert_eq!(found, expected, "{frame} {components} {in_scans:?}");
        }
    }

    #[test]
    fn a_file_of_another_form_has_the_most_scans() {
        let sound = file(BASELINE, 3, &[3]);
        let two_frames = [
            &sound[..11],
            &sound[11..30],
            &file(PROGRESSIVE, 3, &[3])[11..],
        ];
        let garbage = [&sound[..11], b"\0", &sound[11..]];
        for file in [
            two_frames.concat(),
            garbage.concat(),
            sound[..25].to_vec(),
            Vec::new(),
        ] {
            assert_eq!(scans(&file, SIDE, SIDE), SCANS_MAX, "{file:?}");
        }
        // The decoder found another header.
        assert_eq!(scans(&sound, SIDE, SIDE - 1), SCANS_MAX);
    }
}

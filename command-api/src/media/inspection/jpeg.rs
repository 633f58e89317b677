//! What it costs to decode a JPEG, by its headers. Its decoder takes no bounds: of a file whose coefficients come in several scans it
//! keeps all of them, and it goes over the whole picture for each scan.

/// The most scans that the decoder reads.
const SCANS_MAX: u64 = 100;
/// The most components of a picture, as of one in CMYK.
const COMPONENTS_MAX: u64 = 4;
/// How many bytes the decoder keeps a coefficient in, of which there is one for each pixel of a component.
const COEFFICIENT_BYTES: u64 = 2;

const START_OF_SCAN: u8 = 0xda;
const BASELINE: u8 = 0xc0;
const EXTENDED: u8 = 0xc1;
const PROGRESSIVE: u8 = 0xc2;

/// What it costs to decode a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// How many bytes of coefficients are kept.
    pub(super) bytes: u64,
    /// How often the decoder goes over the picture.
    pub(super) scans: u64,
}

/// The most that it costs to decode a file of which the decoder says that it has so many pixels. A file that is not as others are,
/// of which the decoder may make something else than is made here, costs the most that there is.
pub(super) fn cost(file: &[u8], width: u32, height: u32) -> Cost {
    let found = Frame::find(file).filter(|it| (it.width, it.height) == (width, height));
    found.and_then(|frame| frame.cost(file)).unwrap_or_else(|| {
        // Blocks are of 8 × 8 pixels, and up to 4 × 4 of them belong together.
        let padded = |side: u32| u64::from(side).next_multiple_of(32);
        Cost {
            bytes: padded(width) * padded(height) * COMPONENTS_MAX * COEFFICIENT_BYTES,
            scans: SCANS_MAX,
        }
    })
}

/// The header of a picture.
#[derive(Debug)]
struct Frame {
    is_progressive: bool,
    width: u32,
    height: u32,
    /// How many blocks of each component belong together, from left to right and from top to bottom.
    samplings: Vec<(u64, u64)>,
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
        let [_precision, height @ .., count] = content.first_chunk::<6>()?;
        let [high, low, wide, narrow] = *height;
        let components = content.get(6..)?.chunks_exact(3);
        let samplings: Vec<_> = components
            .map(|it| (u64::from(it[1] >> 4), u64::from(it[1] & 15)))
            .collect();
        let is_sound = samplings.len() == usize::from(*count)
            && !samplings.is_empty()
            && samplings
                .iter()
                .all(|(across, down)| (1..=4).contains(across) && (1..=4).contains(down));
        is_sound.then_some(Self {
            is_progressive,
            width: u16::from_be_bytes([wide, narrow]).into(),
            height: u16::from_be_bytes([high, low]).into(),
            samplings,
            first_scan: 0,
        })
    }

    fn cost(&self, file: &[u8]) -> Option<Cost> {
        let scans = file.get(self.first_scan..)?;
        let in_first = usize::from(*scans.get(4)?);
        if !self.is_progressive && in_first == self.samplings.len() {
            // It is decoded row by row.
            return Some(Cost { bytes: 0, scans: 1 });
        }
        let across = self.samplings.iter().map(|it| it.0).max()?;
        let down = self.samplings.iter().map(|it| it.1).max()?;
        let groups =
            u64::from(self.width).div_ceil(8 * across) * u64::from(self.height).div_ceil(8 * down);
        let blocks = self.samplings.iter().map(|it| it.0 * it.1).sum::<u64>() * groups;
        // There may be fewer, as this is also found where it begins no scan, such as behind the end of the picture.
        let begins = scans.windows(2).filter(|it| **it == [0xff, START_OF_SCAN]);
        Some(Cost {
            bytes: blocks * 64 * COEFFICIENT_BYTES,
            scans: (begins.count() as u64).min(SCANS_MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a file of 4,096 × 4,096 pixels: an application's segment, the frame, and the headers of scans.
    pub(super) fn file(frame: u8, samplings: &[u8], in_scans: &[u8]) -> Vec<u8> {
        let mut file = b"\xff\xd8\xff\xe0\0\x07JFIF\0".to_vec();
        let count = u8::try_from(samplings.len()).unwrap();
        file.extend([0xff, frame, 0, 8 + 3 * count, 8, 0x10, 0, 0x10, 0, count]);
        for (id, sampling) in samplings.iter().enumerate() {
            file.extend([u8::try_from(id).unwrap(), *sampling, 0]);
        }
        for count in in_scans {
            file.extend([0xff, START_OF_SCAN, 0, 6 + 2 * count, *count]);
            file.extend(vec![0; usize::from(2 * count) + 3]);
            file.extend([0x12, 0x34]);
        }
        file
    }

    const SIDE: u32 = 4_096;
    const PIXELS: u64 = 1 << 24;

    #[test]
    fn a_file_costs_what_the_decoder_keeps_of_its_coefficients() {
        for (frame, samplings, in_scans, bytes, scans) in [
            // In one scan, it is decoded row by row.
            (BASELINE, &[0x22, 0x11, 0x11][..], &[3][..], 0, 1),
            (BASELINE, &[0x11], &[1], 0, 1),
            // The components of a picture may come one after another.
            (BASELINE, &[0x11, 0x11, 0x11], &[1, 1, 1], 6 * PIXELS, 3),
            (PROGRESSIVE, &[0x11; 4], &[4, 1, 1], 8 * PIXELS, 3),
            (PROGRESSIVE, &[0x22, 0x11, 0x11], &[3], 3 * PIXELS, 1),
            (PROGRESSIVE, &[0x21, 0x11, 0x11], &[3; 7], 4 * PIXELS, 7),
        ] {
            let file = file(frame, samplings, in_scans);
            let found = cost(&file, SIDE, SIDE);
            assert_eq!(found, Cost { bytes, scans }, "{samplings:?} {in_scans:?}");
        }
    }

    #[test]
    fn a_file_of_another_form_costs_the_most() {
        let most = Cost {
            bytes: 8 * PIXELS,
            scans: SCANS_MAX,
        };
        let sound = file(BASELINE, &[0x11; 3], &[3]);
        let two_frames = [
            &sound[..11],
            &sound[11..30],
            &file(PROGRESSIVE, &[0x11; 3], &[3])[11..],
        ];
        let garbage = [&sound[..11], b"\0", &sound[11..]];
        for file in [
            two_frames.concat(),
            garbage.concat(),
            sound[..25].to_vec(),
            file(BASELINE, &[0x01; 3], &[3]),
            file(BASELINE, &[], &[]),
            Vec::new(),
        ] {
            assert_eq!(cost(&file, SIDE, SIDE), most, "{file:?}");
        }
        // The decoder found another header.
        assert_eq!(cost(&sound, SIDE, SIDE - 1).scans, SCANS_MAX);
    }
}

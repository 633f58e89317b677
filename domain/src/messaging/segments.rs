//! Into how many segments networks divide texts.

/// What a title ends with that was shortened.
pub(super) const CUT: &str = "...";

/// The septets of a text that is one segment, and those of each segment of a longer one, whose header takes the rest (3GPP TS
/// 23.040, section 9.2.3.24.1).
const SEPTETS: (usize, usize) = (160, 153);
/// The same in units of 16 bits.
const UNITS: (usize, usize) = (70, 67);

/// The characters of the alphabet that every telephone has, each of one septet (3GPP TS 23.038, section 6.2.1).
const BASIC: &str = concat!(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
/// The characters that take two septets, the first of which is an escape.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// In how many segments networks carry a text.
#[must_use]
pub(super) fn segments(text: &str) -> u32 {
    let sizes: Option<Vec<_>> = text.chars().map(septets).collect();
    match sizes {
        Some(sizes) => packed(&sizes, SEPTETS),
        // A character that the alphabet lacks makes all of them longer.
        None => packed(
            &text.chars().map(char::len_utf16).collect::<Vec<_>>(),
            UNITS,
        ),
    }
}

/// How many septets a character takes; none if the alphabet lacks it.
fn septets(character: char) -> Option<usize> {
    if BASIC.contains(character) {
        Some(1)
    } else if EXTENSION.contains(character) {
        Some(2)
    } else {
        None
    }
}

/// How many segments hold characters of these sizes, none of which is divided.
fn packed(sizes: &[usize], (alone, each): (usize, usize)) -> u32 {
    if sizes.iter().sum::<usize>() <= alone {
        return 1;
    }
    let mut segments = 1;
    let mut filled = 0;
    for size in sizes {
        if filled + size > each {
            segments += 1;
            filled = 0;
        }
        filled += size;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_divided_as_networks_do_it() {
        for (text, expected) in [
            (String::new(), 1),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("a".repeat(459), 3),
            ("a".repeat(460), 4),
            // The euro takes two septets, which stay together.
            ("€".repeat(80), 1),
            ("€".repeat(81), 2),
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            // One character that the alphabet lacks is enough.
            (format!("{}東", "a".repeat(69)), 1),
            (format!("{}東", "a".repeat(70)), 2),
            ("東".repeat(134), 2),
            ("東".repeat(135), 3),
            // Nor are the two halves of a character divided.
            ("😀".repeat(35), 1),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
        ] {
            assert_eq!(segments(&text), expected, "{text}");
        }
        assert!("äÖß@ '\"".chars().all(|it| septets(it) == Some(1)));
        assert!("ç`’".chars().all(|it| septets(it).is_none()));
        assert_eq!(
            BASIC.chars().count(),
            127,
            "all of the table but the escape"
        );
        assert_eq!(EXTENSION.chars().count(), 10);
    }
}

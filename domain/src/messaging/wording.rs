//! The words of texts, and into how many segments networks divide them. What a text says follows from its request alone, so that
//! it is counted when it is requested, and is the same at each attempt.

use tidemark_events::Money;
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::message::{Notice, Template};
use tidemark_events::messaging::notification;

/// A text that is as long as each code.
pub const CODE_PLACE: &str = "000000";

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
pub fn segments(text: &str) -> u32 {
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

/// What a text says. The title of a product, or the name of a task, is shortened until the text has so many segments at most.
#[must_use]
pub fn text(template: &Template, code: &str, segments_max: u32) -> String {
    match template {
        Template::Welcome => "Welcome to Tidemark.".to_owned(),
        Template::PhoneCode { .. } => format!(
            "{code} is your code for Tidemark. Whoever asks you for it is not from Tidemark."
        ),
        Template::Notification(notice) => notification(notice, segments_max),
    }
}

fn notification(notice: &Notice, segments_max: u32) -> String {
    let (title, amount) = match &notice.subject {
        notification::Subject::Auction { title, amount, .. } => (one_line(title), amount.as_ref()),
        notification::Subject::Task { name, .. } => (one_line(name), None),
    };
    let amount = amount.map(|amount| money(**amount));
    let amount = match (notice.category, amount) {
        (_, None) | (Category::TaskPaused, _) => String::new(),
        (Category::Outbid | Category::EndsSoon, Some(bid)) => format!(" The highest bid is {bid}."),
        (Category::Won | Category::NotWon | Category::Sold | Category::Unsold, Some(price)) => {
            format!(" The price is {price}.")
        }
    };
    let begin = headline(notice.category);
    let whole = format!("{begin}: \"{title}\".{amount}");
    if segments(&whole) <= segments_max {
        return whole;
    }
    let shortened = |end: usize| format!("{begin}: \"{}...\".{amount}", &title[..end]);
    let mut ends = title.char_indices().rev();
    ends.find_map(|(end, _)| Some(shortened(end)).filter(|it| segments(it) <= segments_max))
        .unwrap_or_else(|| begin.to_owned())
}

/// What has happened, without what it has happened to.
#[must_use]
pub const fn headline(category: Category) -> &'static str {
    match category {
        Category::Outbid => "You were outbid",
        Category::Won => "You have won",
        Category::NotWon => "You have not won",
        Category::Sold => "Your product is sold",
        Category::Unsold => "Your product is not sold",
        Category::EndsSoon => "An auction ends soon",
        Category::TaskPaused => "A task was paused",
    }
}

/// A title as a line. The rules before may have accepted titles that break lines, and none may begin a header.
#[must_use]
pub fn one_line(title: &str) -> String {
    let line = title.replace(|char: char| char.is_control(), " ");
    // Else a title could be an encoded word of a subject, and bring what it must not have (RFC 2047, section 2).
    line.replace("=?", "= ?")
}

/// An amount with the digits that its currency has after the point.
#[must_use]
pub fn money(money: Money) -> String {
    let digits = usize::from(money.currency.exponent().unwrap_or(0));
    let code = money.currency.code();
    let text = format!("{:0width$}", money.amount, width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    let point = if digits == 0 { "" } else { "." };
    format!("{whole}{point}{fraction} {code}")
}

#[cfg(test)]
mod tests;

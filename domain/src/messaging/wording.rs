//! The words of texts. What a text says follows from its request alone, so that it is counted when it is requested, and is the same
//! at each attempt.

use tidemark_events::Money;
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::notice::Notice;
use tidemark_events::messaging::notification;
use tidemark_events::messaging::template::Variable;
use tidemark_events::tasks::task::PauseReason;

use crate::messaging::rendering;
use crate::messaging::rendering::Values;
use crate::messaging::segments::{CUT, segments};

/// A text that is as long as each code.
pub const CODE_PLACE: &str = "000000";

/// What a text says. The title of a product, or the name of a task, is shortened until the text has so many segments at most.
#[must_use]
pub fn text(template: &Template, code: &str, segments_max: u32) -> String {
    match template {
        Template::Welcome => "Welcome to Tidemark.".to_owned(),
        Template::PhoneCode { .. } => format!(
            "{code} is your code for Tidemark. Whoever asks you for it is not from Tidemark."
        ),
        Template::Notification(notice) => notification(notice, segments_max),
        // Texts never wait for others.
        Template::Digest(listing) => headline(listing.category).to_owned(),
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
    let text = |title: &str| Some(format!("{begin}: \"{title}\".{amount}"));
    longest(&title, segments_max, text).unwrap_or_else(|| begin.to_owned())
}

/// What a text says by the words of a template; none if they cannot be rendered, or the text had too many segments however short
/// the title is.
#[must_use]
pub fn text_of_template(body: &str, notice: &Notice, segments_max: u32) -> Option<String> {
    let values = values(notice);
    let shortened = match &notice.subject {
        notification::Subject::Auction { .. } => Variable::Title,
        notification::Subject::Task { .. } => Variable::Task,
    };
    longest(values.get(&shortened)?, segments_max, |title| {
        let mut values = values.clone();
        values.insert(shortened, title.to_owned());
        rendering::render(body, &values).ok()
    })
}

/// The text with as much of the title as there is room for in so many segments; none if there is room for nothing of it.
fn longest(
    title: &str,
    segments_max: u32,
    text: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let fitting = |title: &str| text(title).filter(|it| segments(it) <= segments_max);
    if let Some(whole) = fitting(title) {
        return Some(whole);
    }
    let cut = |end: usize| fitting(&format!("{}{CUT}", &title[..end]));
    let ends: Vec<usize> = title.char_indices().map(|(end, _)| end).collect();
    // More of a title never takes fewer segments.
    let fit = ends.partition_point(|end| cut(*end).is_some());
    cut(*ends.get(fit.checked_sub(1)?)?)
}

/// What the template of a message has places for, beside the name of the recipient. None of it has line breaks, or other characters
/// that nobody sees.
#[must_use]
pub fn values(notice: &Notice) -> Values {
    match &notice.subject {
        notification::Subject::Auction {
            auction_id,
            title,
            amount,
            ..
        } => {
            let amount = amount.as_ref();
            let amount = amount.map(|it| (Variable::Amount, money(**it)));
            let others = [
                (Variable::Title, one_line(title)),
                (Variable::AuctionId, auction_id.to_string()),
            ];
            others.into_iter().chain(amount).collect()
        }
        notification::Subject::Task {
            task_id,
            name,
            reason,
        } => Values::from([
            (Variable::Task, one_line(name)),
            (Variable::TaskId, task_id.to_string()),
            (Variable::Reason, why(*reason).to_owned()),
        ]),
    }
}

/// Why a task was paused, after "since".
#[must_use]
pub const fn why(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::Gone => "its server asks not to be called any more (410)",
        PauseReason::Failing => "all its runs have failed for five days",
        PauseReason::Owner | PauseReason::OwnerErased => "it was to be paused",
    }
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

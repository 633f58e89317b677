//! What the mail of a digest says: it lists what the user was told of, the newest last.

use std::iter;

use tidemark_domain::messaging::wording::{headline, money, one_line, why};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::notice::{Listing, Notice};
use tidemark_events::messaging::notification::Subject;

/// The subject and the text of the mail.
pub(super) fn words(listing: &Listing) -> (String, String) {
    let what = what(listing.category);
    let count = listing.notices.len() as u64 + u64::from(listing.unlisted);
    let (times, order) = if count == 1 {
        ("once".to_owned(), "")
    } else {
        (format!("{count} times"), ", the newest last")
    };
    let subject = format!("{what}, {times}");
    let begin = format!("you wanted to be told of this in one mail. {subject}{order}:\r\n");
    let unlisted = listing.unlisted;
    let unlisted = (unlisted > 0).then(|| format!("- {unlisted} earlier, which are not listed"));
    let listed = listing.notices.iter().map(|it| format!("- {}", line(it)));
    let lines: Vec<_> = iter::once(begin).chain(unlisted).chain(listed).collect();
    (subject, lines.join("\r\n"))
}

/// What has happened. It may be long ago.
const fn what(category: Category) -> &'static str {
    match category {
        Category::EndsSoon => "An auction came near its end",
        Category::Outbid
        | Category::Won
        | Category::NotWon
        | Category::Sold
        | Category::Unsold
        | Category::TaskPaused => headline(category),
    }
}

/// What is said of one notification. It may be over, so it does not say what the user can do.
fn line(notice: &Notice) -> String {
    let (auction_id, title, amount) = match &notice.subject {
        Subject::Auction {
            auction_id,
            title,
            amount,
            ..
        } => (auction_id, one_line(title), amount),
        Subject::Task {
            task_id,
            name,
            reason,
        } => {
            let (name, why) = (one_line(name), why(*reason));
            return format!("\"{name}\", since {why} (task {task_id})");
        }
    };
    let amount = amount.as_ref().map(|amount| money(**amount));
    let more = match (notice.category, amount) {
        (Category::Outbid, Some(bid)) => format!(", by a bid of {bid}"),
        (Category::EndsSoon, Some(bid)) => format!(", the highest bid was {bid}"),
        (Category::Won | Category::NotWon | Category::Sold | Category::Unsold, Some(price)) => {
            format!(", sold for {price}")
        }
        (Category::TaskPaused, _) | (_, None) => String::new(),
    };
    format!("\"{title}\"{more} (auction {auction_id})")
}

#[cfg(test)]
mod tests {
    use tidemark_events::Event;
    use tidemark_events::messaging::message;
    use tidemark_events::messaging::message::Template;
    use tidemark_events::samples::{self, AUCTION, TASK};
    use tidemark_events::tasks::task::PauseReason;

    use super::*;

    /// The listing in the samples, without what it does not list.
    fn listing() -> Listing {
        let found = samples::all().into_iter().find_map(|event| {
            if let Event::Message(message::Event::Requested { template, .. }) = event
                && let Template::Digest(listing) = template
            {
                Some(*listing)
            } else {
                None
            }
        });
        Listing {
            unlisted: 0,
            ..found.unwrap()
        }
    }

    #[test]
    fn each_notification_has_a_line_and_the_newest_is_last() {
        let mut listing = listing();
        let mut second = listing.notices[0].clone();
        if let Subject::Auction { title, amount, .. } = &mut second.subject {
            *title = samples::stored("A =?clock");
            *amount = None;
        }
        listing.notices.push(second);
        let (subject, text) = words(&listing);
        assert_eq!(subject, "You were outbid, 2 times");
        let lines: Vec<_> = text.lines().filter(|it| it.starts_with("- ")).collect();
        let first = format!("- \"Field camera\", by a bid of 120.00 EUR (auction {AUCTION})");
        let second = format!("- \"A = ?clock\" (auction {AUCTION})");
        assert_eq!(lines, [first, second]);
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        let listing = Listing {
            unlisted: 7,
            ..listing()
        };
        let (subject, text) = words(&listing);
        assert_eq!(subject, "You were outbid, 8 times");
        assert!(text.contains("- 7 earlier, which are not listed"), "{text}");
    }

    #[test]
    fn one_notification_alone_is_a_digest_too() {
        let (subject, text) = words(&listing());
        assert_eq!(subject, "You were outbid, once");
        assert!(text.contains("You were outbid, once:\r\n"), "{text}");
    }

    #[test]
    fn what_may_be_over_is_not_told_as_if_it_went_on() {
        let mut listing = listing();
        listing.category = Category::EndsSoon;
        listing.notices[0].category = Category::EndsSoon;
        let (subject, text) = words(&listing);
        assert_eq!(subject, "An auction came near its end, once");
        assert!(text.contains(", the highest bid was 120.00 EUR"), "{text}");
    }

    #[test]
    fn a_task_is_named_with_the_reason() {
        let mut listing = listing();
        listing.category = Category::TaskPaused;
        listing.notices[0].category = Category::TaskPaused;
        listing.notices[0].subject = Subject::Task {
            task_id: TASK,
            name: samples::stored("Fetch prices"),
            reason: PauseReason::Gone,
        };
        let (_, text) = words(&listing);
        let line = format!(
            "- \"Fetch prices\", since {} (task {TASK})",
            why(PauseReason::Gone)
        );
        assert!(text.ends_with(&line), "{text}");
    }
}

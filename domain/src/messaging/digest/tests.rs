//! What joins a digest, and that each ends once, with one mail at most.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::digest::Outcome;
use tidemark_events::messaging::message;
use tidemark_events::messaging::message::{Suppression, Template};
use tidemark_events::messaging::notice::Listing;
use tidemark_events::messaging::notification::DedupeKey;
use tidemark_events::messaging::preferences;
use tidemark_events::samples::{
    AUCTION, BIDDER, CONTACT_POINT, DIGEST, DIGEST_MAIL, PRODUCT, SELLER, TEXT, at, euro_cents,
    stated,
};
use tidemark_events::{DigestId, Event as AnyEvent, MessageId, NotificationId, PreferencesId};
use uuid::Uuid;

use super::*;
use crate::Write;
use crate::given::{Given, RIVAL, TEXT_LIMITS, given, registered, sample, writes_of};
use crate::identity::{access, user};
use crate::messaging::notification::{About, Raise};

/// How long a digest is open.
const WINDOW: TimeDelta = TimeDelta::days(1);
/// The end of a digest that is opened at second 0.
const END: i64 = 86_400;

/// The rival is told something of an auction, the number of which tells it from others.
fn raise(number: u128) -> Raise {
    Raise {
        notification_id: NotificationId(Uuid::from_u128(0x1000 + number)),
        message_id: MessageId(Uuid::from_u128(0x3000 + number)),
        text_id: TEXT,
        user_id: RIVAL,
        category: Category::Unsold,
        about: About::Auction {
            auction_id: AUCTION,
            product_id: PRODUCT,
            amount: Some(euro_cents(12_000)),
        },
        dedupe_key: stated::<DedupeKey>(&number.to_string()),
        mails_per_hour_max: 5,
        mail_locale: stated("en"),
        text_limits: TEXT_LIMITS,
        ends_soon: TimeDelta::minutes(15),
        digest_id: DigestId(Uuid::from_u128(0x2000 + number)),
        digest_window: WINDOW,
    }
}

/// What the rival has chosen for a category.
fn chose(category: Category, mail: bool, digest: bool) -> AnyEvent {
    preferences::Event::Changed {
        preferences_id: PreferencesId::of(RIVAL),
        user_id: RIVAL,
        category,
        channels: Channels {
            inbox: true,
            mail,
            sms: false,
            digest,
        },
    }
    .into()
}

/// The rival wants mails of unsold products to come together. The addresses in the samples are sealed for the seller.
fn together() -> Given {
    given([
        registered(SELLER),
        registered(RIVAL),
        sample("product.drafted"),
    ])
    .and([chose(Category::Unsold, true, true)])
    .by_service()
}

/// The digest that the first notification opens.
const FIRST: DigestId = DigestId(Uuid::from_u128(0x2001));

fn close(digest_id: DigestId) -> Close {
    Close {
        digest_id,
        message_id: DIGEST_MAIL,
        mails_per_hour_max: 5,
        mail_locale: stated("en"),
    }
}

/// The stored types of the events that were written.
fn types(decided: &[Write]) -> Vec<String> {
    let events = decided.iter().filter_map(|it| match it {
        Write::Event(_, event) => Some(event.encode().unwrap().event_type),
        Write::Claim(..) | Write::Release(_) => None,
    });
    events.collect()
}

/// What the mail lists that was requested.
fn listing(decided: &[Write]) -> Listing {
    let found = decided.iter().find_map(|it| match it {
        Write::Event(
            _,
            AnyEvent::Message(message::Event::Requested {
                template: Template::Digest(listing),
                ..
            }),
        ) => Some(listing),
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    Listing::clone(found.unwrap())
}

/// How the digest was closed.
fn closed(decided: &[Write]) -> (u32, Outcome, Option<MessageId>) {
    let found = decided.iter().find_map(|it| match it {
        Write::Event(
            _,
            AnyEvent::Digest(Event::Closed {
                notifications,
                outcome,
                message_id,
                ..
            }),
        ) => Some((*notifications, *outcome, *message_id)),
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    found.unwrap()
}

const OPENED: [&str; 3] = ["notification.raised", "digest.opened", "digest.joined"];
const JOINED: [&str; 2] = ["notification.raised", "digest.joined"];
const SINGLE: [&str; 2] = ["notification.raised", "message.requested"];
const MAILED: [&str; 2] = ["digest.closed", "message.requested"];

#[test]
fn the_first_notification_opens_a_digest_and_others_join_it_without_a_mail() {
    let mut user = together();
    let opened = user.execute(raise(1)).unwrap();
    assert_eq!(types(&opened), OPENED);
    let claimed = Write::Claim(claim(RIVAL, Category::Unsold), FIRST.0);
    assert!(opened.contains(&claimed), "{opened:?}");
    let window = opened.iter().find_map(|it| match it {
        Write::Event(id, AnyEvent::Digest(Event::Opened { closes_at, .. })) => {
            Some((*id, **closes_at))
        }
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    assert_eq!(window, Some((FIRST.0, at(END))));

    // Also one that comes before the timer does.
    let mut user = user.at(at(END + 10));
    let joined = user.execute(raise(2)).unwrap();
    assert_eq!(types(&joined), JOINED);
    let is_first =
        |it: &Write| matches!(it, Write::Event(id, AnyEvent::Digest(_)) if *id == FIRST.0);
    assert!(joined.iter().any(is_first), "{joined:?}");
}

#[test]
fn a_digest_ends_with_one_mail_that_lists_what_joined_it_and_the_next_one_is_another() {
    let mut user = together();
    user.execute(raise(1)).unwrap();
    user.execute(raise(2)).unwrap();
    let mut user = user.at(at(END));
    let decided = user.execute(close(FIRST)).unwrap();
    assert_eq!(types(&decided), MAILED);
    assert_eq!(closed(&decided), (2, Outcome::Mail, Some(DIGEST_MAIL)));
    let listing = listing(&decided);
    let listed: Vec<_> = listing
        .notices
        .iter()
        .map(|it| it.notification_id)
        .collect();
    assert_eq!(listed, [raise(1), raise(2)].map(|it| it.notification_id));
    assert_eq!((listing.digest_id, listing.unlisted), (FIRST, 0));
    let released = Write::Release(claim(RIVAL, Category::Unsold));
    assert!(decided.contains(&released), "{decided:?}");

    let again = user.when(close(FIRST));
    assert_eq!(again, Err(Error::Closed.into()), "at most once");
    assert_eq!(types(&user.execute(raise(3)).unwrap()), OPENED);
}

#[test]
fn a_digest_ends_when_its_window_is_over_and_by_its_timer_alone() {
    let mut user = together();
    user.execute(raise(1)).unwrap();
    let early = user.at(at(END) - TimeDelta::microseconds(1));
    let refusal = early.when(close(FIRST)).unwrap_err();
    assert_eq!(
        (refusal.code.name, refusal.retry_at),
        ("not_due", Some(at(END)))
    );
    let due = early.at(at(END));
    let unknown = due.when(close(DIGEST));
    assert_eq!(unknown, Err(Error::NotFound.into()));
    let user = due.by(RIVAL).when(close(FIRST));
    assert_eq!(user, Err(access::Error::Service.into()));
}

#[test]
fn whoever_has_switched_mails_off_meanwhile_is_sent_none() {
    let mut user = together();
    user.execute(raise(1)).unwrap();
    let mut off = user.and([chose(Category::Unsold, false, true)]).at(at(END));
    let decided = off.execute(close(FIRST)).unwrap();
    assert_eq!(types(&decided), ["digest.closed"]);
    assert_eq!(closed(&decided), (1, Outcome::MailsOff, None));
    let mut on = off.and([chose(Category::Unsold, true, true)]);
    let opened = on.execute(raise(2)).unwrap();
    assert_eq!(types(&opened), OPENED, "what was dropped comes no more");
}

#[test]
fn whoever_wants_single_mails_again_gets_the_open_digest_at_its_end() {
    let mut user = together();
    user.execute(raise(1)).unwrap();
    let mut single = user.and([chose(Category::Unsold, true, false)]);
    assert_eq!(types(&single.execute(raise(2)).unwrap()), SINGLE);
    let decided = single.at(at(END)).when(close(FIRST)).unwrap();
    assert_eq!(types(&decided), MAILED);
    let notices = listing(&decided).notices;
    let listed: Vec<_> = notices.iter().map(|it| it.notification_id).collect();
    assert_eq!(listed, [raise(1).notification_id]);
}

#[test]
fn other_categories_and_other_users_are_told_as_before() {
    let mut user = together();
    user.execute(raise(1)).unwrap();
    let not_won = |user_id| Raise {
        user_id,
        category: Category::NotWon,
        ..raise(2)
    };
    let mut user = user
        .and([registered(BIDDER)])
        .and([chose(Category::NotWon, true, false)]);
    assert_eq!(types(&user.when(not_won(RIVAL)).unwrap()), SINGLE);
    let other = Raise {
        user_id: BIDDER,
        ..raise(3)
    };
    assert_eq!(types(&user.execute(other).unwrap()), SINGLE);
    // A build before may have let users choose so.
    let won = Raise {
        category: Category::Won,
        ..raise(4)
    };
    let user = user.and([chose(Category::Won, true, true)]);
    assert_eq!(types(&user.when(won).unwrap()), SINGLE);

    let user = user.and([chose(Category::NotWon, true, true)]);
    let another = user.when(not_won(RIVAL)).unwrap();
    assert_eq!(
        types(&another),
        OPENED,
        "each category has a digest of its own"
    );
}

#[test]
fn a_digest_without_mails_is_none() {
    let user = given([registered(RIVAL), sample("product.drafted")])
        .and([chose(Category::Unsold, false, true)])
        .by_service();
    assert_eq!(
        types(&user.when(raise(1)).unwrap()),
        ["notification.raised"]
    );
}

#[test]
fn the_last_fifty_are_listed_and_the_others_counted() {
    let mut user = together();
    for number in 1..=53 {
        user.execute(raise(number)).unwrap();
    }
    let decided = user.at(at(END)).when(close(FIRST)).unwrap();
    assert_eq!(closed(&decided).0, 53);
    let listing = listing(&decided);
    assert_eq!((listing.notices.len(), listing.unlisted), (50, 3));
    let id = |notice: Option<&Notice>| notice.unwrap().notification_id;
    assert_eq!(id(listing.notices.first()), raise(4).notification_id);
    assert_eq!(id(listing.notices.last()), raise(53).notification_id);
}

#[test]
fn the_mail_of_a_digest_is_bound_by_what_all_mails_are() {
    let closing = |given: Given| {
        let mut user = given;
        user.execute(raise(1)).unwrap();
        user.at(at(END)).when(close(FIRST)).unwrap()
    };
    // It takes a place of the category, of which there are as many as mails in an hour.
    let decided = closing(together());
    let place = format!("{SELLER} unsold 0");
    let place = Claim::new(ClaimScope::MessagePlace, place);
    assert!(decided.contains(&Write::Claim(place, DIGEST_MAIL.0)));

    let suppressed = together().and([sample("contact_point.suppressed")]);
    let contact_point = Claim::new(ClaimScope::ContactPoint, "a".repeat(64));
    let decided = closing(suppressed.claimed(contact_point, CONTACT_POINT.0));
    let reason = decided.iter().find_map(|it| match it {
        Write::Event(_, AnyEvent::Message(message::Event::Suppressed { reason, .. })) => {
            Some(*reason)
        }
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    assert_eq!(reason, Some(Suppression::Address));
    assert_eq!(
        closed(&decided).1,
        Outcome::Mail,
        "what became of it is with the mail"
    );
}

#[test]
fn the_samples_are_a_digest_and_its_end() {
    let digest = given(["digest.opened", "digest.joined"].map(sample))
        .and([registered(SELLER), registered(RIVAL)])
        .claimed(claim(RIVAL, Category::Outbid), DIGEST.0)
        .by_service()
        .at(at(END));
    let decided = digest.when(close(DIGEST)).unwrap();
    assert_eq!(decided[..1], writes_of(["digest.closed"]));
    let nobody = given(["digest.opened", "digest.joined"].map(sample));
    let nobody = nobody.claimed(claim(RIVAL, Category::Outbid), DIGEST.0);
    let nobody = nobody.by_service().at(at(END)).when(close(DIGEST));
    assert_eq!(nobody, Err(user::Error::NotFound.into()));
}

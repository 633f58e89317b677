//! Who is notified, once, and by which channels.

use chrono::TimeDelta;
use tidemark_events::market::watch_list;
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::message::Event as MessageEvent;
use tidemark_events::messaging::preferences;
use tidemark_events::samples::{
    AUCTION, BIDDER, DIGEST, MESSAGE, NOTIFICATION, PRODUCT, RIVAL, SELLER, TASK, TEXT, WATCH, at,
    euro_cents, stated,
};
use tidemark_events::tasks::task::PauseReason;
use tidemark_events::{Event as AnyEvent, NotificationId, PreferencesId, WatchId, WatchListId};
use uuid::Uuid;

use super::*;
use crate::given::{Given, TEXT_LIMITS, given, registered, sample, writes_of};
use crate::identity::{access, user};
use crate::market::product;
use crate::{Claim, ClaimScope, Refusal, Write};

fn raise() -> Raise {
    Raise {
        notification_id: NOTIFICATION,
        message_id: MESSAGE,
        text_id: TEXT,
        user_id: RIVAL,
        category: Category::Outbid,
        about: About::Auction {
            auction_id: AUCTION,
            product_id: PRODUCT,
            amount: Some(euro_cents(12_000)),
        },
        dedupe_key: stated(&AUCTION.to_string()),
        mails_per_hour_max: 5,
        mail_locale: stated("en"),
        text_limits: TEXT_LIMITS,
        ends_soon: TimeDelta::minutes(15),
        digest_id: DIGEST,
        digest_window: TimeDelta::days(1),
    }
}

fn of(category: Category) -> Raise {
    Raise {
        category,
        ..raise()
    }
}

/// The bidder leads in an open auction, whose rival is to be told.
fn outbid() -> Given {
    let auction = ["product.drafted", "auction.scheduled", "auction.opened"];
    given([registered(SELLER), registered(BIDDER), registered(RIVAL)])
        .and(auction.map(sample))
        .and([sample("auction.bid_placed")])
        .by_service()
}

fn claim(category: &str) -> Claim {
    let key = format!("{RIVAL} {category} {AUCTION}");
    Claim::new(ClaimScope::Notification, key)
}

/// The user chose these channels.
fn chose(category: Category, inbox: bool, mail: bool) -> AnyEvent {
    preferences::Event::Changed {
        preferences_id: PreferencesId::of(RIVAL),
        user_id: RIVAL,
        category,
        channels: Channels {
            inbox,
            mail,
            sms: false,
            digest: false,
        },
    }
    .into()
}

/// The stored types of the events that were written.
fn types(decided: Result<Vec<Write>, Refusal>) -> Vec<String> {
    let events = decided.unwrap().into_iter().filter_map(|it| match it {
        Write::Event(_, event) => Some(event.encode().unwrap().event_type),
        Write::Claim(..) | Write::Release(_) => None,
    });
    events.collect()
}

const BOTH: [&str; 2] = ["notification.raised", "message.requested"];

#[test]
fn who_is_outbid_finds_it_in_the_inbox_and_gets_a_mail() {
    let writes = outbid().when(raise()).unwrap();
    let claimed = Write::Claim(claim("outbid"), NOTIFICATION.0);
    let raised = writes_of(["notification.raised"]).remove(0);
    assert_eq!(writes[..2], [claimed, raised]);
    let Write::Event(_, AnyEvent::Message(requested)) = &writes[2] else {
        panic!("no mail: {writes:?}")
    };
    let MessageEvent::Requested {
        user_id, not_after, ..
    } = requested
    else {
        panic!("no mail: {writes:?}")
    };
    // When the auction has ended, it is of no use any more.
    assert_eq!(**not_after, at(3_600));
    // The sample's address is sealed for the seller.
    assert_eq!(*user_id, SELLER);
    let place = format!("{SELLER} outbid 0");
    let place = Claim::new(ClaimScope::MessagePlace, place);
    assert_eq!(writes[3..], [Write::Claim(place, MESSAGE.0)]);
}

#[test]
fn who_has_chosen_texts_alone_and_can_be_sent_none_finds_it_in_the_inbox() {
    let texts_alone = preferences::Event::Changed {
        preferences_id: PreferencesId::of(RIVAL),
        user_id: RIVAL,
        category: Category::Outbid,
        channels: Channels {
            inbox: false,
            mail: false,
            sms: true,
            digest: false,
        },
    };
    let writes = outbid().and([texts_alone.into()]).when(raise()).unwrap();
    let raised = writes.iter().find_map(|it| match it {
        Write::Event(_, AnyEvent::Notification(Event::Raised { channels, .. })) => Some(channels),
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    assert!(raised.unwrap().inbox);
}

#[test]
fn the_same_is_told_once_and_an_outbid_again_after_a_minute() {
    let told = |category: &str| {
        outbid()
            .and([sample("notification.raised")])
            .claimed(claim(category), NOTIFICATION.0)
    };
    let again = Raise {
        notification_id: NotificationId(Uuid::from_u128(0x22)),
        ..raise()
    };
    let raised = Err(Error::Raised.into());
    let instant = TimeDelta::microseconds(1);
    let early = told("outbid").at(at(60) - instant).when(again.clone());
    assert_eq!(early, raised);
    let writes = told("outbid").at(at(60)).when(again).unwrap();
    let released = Write::Release(claim("outbid"));
    let claimed = Write::Claim(claim("outbid"), Uuid::from_u128(0x22));
    assert_eq!(writes[..2], [released, claimed]);

    let mut won = outbid();
    assert!(won.execute(of(Category::Won)).is_ok());
    assert_eq!(won.at(at(1_000_000)).when(of(Category::Won)), raised);
}

#[test]
fn a_user_is_told_by_the_channels_that_they_chose() {
    let raised = |inbox, mail| {
        outbid()
            .and([chose(Category::Outbid, inbox, mail)])
            .when(raise())
    };
    assert_eq!(types(raised(true, true)), BOTH);
    assert_eq!(types(raised(true, false)), ["notification.raised"]);
    assert_eq!(types(raised(false, true)), BOTH);
    assert_eq!(raised(false, false), Err(Error::Unwanted.into()));
    let other = outbid().and([chose(Category::Unsold, false, false)]);
    assert_eq!(types(other.when(raise())), BOTH);
    let not_won = types(outbid().when(of(Category::NotWon)));
    assert_eq!(not_won, ["notification.raised"], "by default");
    // A build before may have let users choose so.
    let required = outbid().and([chose(Category::Won, false, false)]);
    assert_eq!(types(required.when(of(Category::Won))), BOTH);
}

#[test]
fn nobody_is_told_that_they_were_outbid_if_they_lead_or_the_auction_is_over() {
    let moot = Err(Error::Moot.into());
    let leader = Raise {
        user_id: BIDDER,
        ..raise()
    };
    assert_eq!(outbid().when(leader), moot);
    let over = outbid().and([sample("auction.closed")]);
    assert_eq!(over.when(raise()), moot);
    assert_eq!(types(over.when(of(Category::Unsold))), BOTH);
}

#[test]
fn only_a_service_notifies_and_only_somebody_of_something() {
    let user = outbid().by(RIVAL).when(raise());
    assert_eq!(user, Err(access::Error::Service.into()));
    let nobody = Raise {
        user_id: tidemark_events::UserId(Uuid::from_u128(0x99)),
        ..raise()
    };
    let absent = outbid().when(nobody);
    assert_eq!(absent, Err(user::Error::NotFound.into()));
    let nothing = given([registered(RIVAL)]).by_service();
    let nothing = nothing.when(of(Category::Won));
    assert_eq!(nothing, Err(product::Error::NotFound.into()));
}

const READ: Read = Read {
    notification_id: NOTIFICATION,
};
const ARCHIVE: Archive = Archive {
    notification_id: NOTIFICATION,
};

fn told() -> Given {
    given([registered(RIVAL), sample("notification.raised")]).by(RIVAL)
}

#[test]
fn users_read_notifications_and_put_them_away() {
    assert_eq!(told().when(READ), Ok(writes_of(["notification.read"])));
    let read = || told().and([sample("notification.read")]);
    assert_eq!(read().when(READ), Err(Error::Read.into()));
    let archived = Ok(writes_of(["notification.archived"]));
    assert_eq!(read().when(ARCHIVE), archived);
    let both = writes_of(["notification.read", "notification.archived"]);
    assert_eq!(told().when(ARCHIVE), Ok(both));
    let away = || read().and([sample("notification.archived")]);
    assert_eq!(away().when(READ), Err(Error::Archived.into()));
    assert_eq!(away().when(ARCHIVE), Err(Error::Archived.into()));
}

#[test]
fn nobody_sees_what_is_not_in_their_inbox() {
    let not_found = || Err(Error::NotFound.into());
    let nothing = given([registered(RIVAL)]).by(RIVAL);
    let others = given([registered(BIDDER), sample("notification.raised")]).by(BIDDER);
    let mut by_mail = outbid().and([chose(Category::Outbid, false, true)]);
    assert!(by_mail.execute(raise()).is_ok());
    for given in [nothing, others, by_mail.by(RIVAL)] {
        assert_eq!(given.when(READ), not_found());
        assert_eq!(given.when(ARCHIVE), not_found());
    }
    let service = told().by_service().when(READ);
    assert_eq!(service, Err(access::Error::Login.into()));
}

/// The rival watches the auction of an hour, of which a quarter is left.
fn watching() -> Given {
    let added = watch_list::Event::Added {
        watch_list_id: WatchListId::of(RIVAL),
        watch_id: WatchId(WATCH),
        user_id: RIVAL,
        auction_id: AUCTION,
        product_id: PRODUCT,
        remind_at: None,
    };
    outbid().and([added.into()]).at(at(2_700))
}

#[test]
fn who_watches_an_auction_is_told_that_it_ends_soon_and_not_by_mail_once_it_has_ended() {
    let writes = watching().when(of(Category::EndsSoon)).unwrap();
    let not_after = writes.iter().find_map(|it| match it {
        Write::Event(_, AnyEvent::Message(MessageEvent::Requested { not_after, .. })) => {
            Some(**not_after)
        }
        Write::Event(..) | Write::Claim(..) | Write::Release(_) => None,
    });
    assert_eq!(not_after, Some(at(3_600)));
    let mut told = watching();
    told.execute(of(Category::EndsSoon)).unwrap();
    let again = told.at(at(3_599)).when(of(Category::EndsSoon));
    assert_eq!(again, Err(Error::Raised.into()), "it is told once");
}

#[test]
fn nobody_is_told_of_an_end_that_is_over_far_or_of_no_interest() {
    let told = |given: Given| given.when(of(Category::EndsSoon));
    let moot = Err(Error::Moot.into());
    assert_eq!(told(outbid().at(at(2_700))), moot, "not watched");
    assert_eq!(told(watching().at(at(3_600))), moot, "ended");
    for over in ["auction.closed", "auction.cancelled"] {
        assert_eq!(told(watching().and([sample(over)])), moot, "{over}");
    }
    let early = told(watching().at(at(2_699))).unwrap_err();
    let due_at = |refusal: Refusal| (refusal.code.name, refusal.retry_at);
    assert_eq!(due_at(early), ("not_due", Some(at(2_700))));
    let extended = watching().and([sample("auction.extended")]);
    let early = told(extended).unwrap_err();
    assert_eq!(due_at(early), ("not_due", Some(at(2_760))));
}

#[test]
fn an_owner_is_told_of_each_pause_but_not_of_their_own() {
    let told = |reason| {
        TellOfPause(Raise {
            user_id: SELLER,
            category: Category::TaskPaused,
            about: About::Task {
                task_id: TASK,
                reason,
            },
            dedupe_key: stated(&TASK.to_string()),
            ..raise()
        })
    };
    let task = ["task.defined", "task.paused"].map(sample);
    let paused = || {
        given([registered(SELLER)])
            .and(task.clone())
            .by_service()
            .at(at(9))
    };
    let mut owner = paused();
    assert_eq!(types(owner.execute(told(PauseReason::Gone))), BOTH);
    assert_eq!(types(owner.execute(told(PauseReason::Failing))), BOTH);
    let moot = Err(Error::Moot.into());
    assert_eq!(paused().when(told(PauseReason::Owner)), moot);
    let resumed = paused().and([sample("task.resumed")]);
    assert_eq!(resumed.when(told(PauseReason::Gone)), moot);
}

#[test]
fn what_a_user_names_is_marked_as_read_at_once_unless_it_was() {
    let other = NotificationId(Uuid::from_u128(0x2a));
    let raised = |id, user| {
        let mut event = sample("notification.raised");
        if let AnyEvent::Notification(Event::Raised {
            notification_id,
            user_id,
            ..
        }) = &mut event
        {
            (*notification_id, *user_id) = (id, user);
        }
        event
    };
    let all = || ReadAll {
        notification_ids: vec![NOTIFICATION, other],
    };
    let inbox = |events: [AnyEvent; 2]| given([registered(RIVAL)]).and(events).by(RIVAL);
    let mut unread = inbox([raised(NOTIFICATION, RIVAL), raised(other, RIVAL)]);
    assert_eq!(types(unread.when(all())), ["notification.read"; 2]);
    unread
        .execute(Read {
            notification_id: other,
        })
        .unwrap();
    let rest = Ok(writes_of(["notification.read"]));
    assert_eq!(unread.when(all()), rest);
    unread.execute(all()).unwrap();
    assert_eq!(unread.when(all()), Err(Error::Read.into()));
    let strange = inbox([raised(NOTIFICATION, RIVAL), raised(other, SELLER)]);
    assert_eq!(strange.when(all()), Err(Error::NotFound.into()));
}

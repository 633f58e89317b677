//! Which channels users may choose.

use tidemark_events::samples::{BIDDER, SELLER};

use super::*;
use crate::given::{given, registered, sample};

const CHANGE: Change = Change {
    user_id: SELLER,
    category: Category::NotWon,
    channels: Channels {
        inbox: false,
        mail: true,
        sms: false,
        digest: true,
    },
};

#[test]
fn users_choose_their_own_channels() {
    let user = || given([registered(SELLER)]).by(SELLER);
    let preferences_id = PreferencesId::of(SELLER);
    let event = Event::Changed {
        preferences_id,
        user_id: SELLER,
        category: CHANGE.category,
        channels: CHANGE.channels,
    };
    let changed = || Ok(vec![Write::event(preferences_id.0, event.clone())]);
    assert_eq!(user().when(CHANGE), changed());
    let again = user().and([event.clone().into()]);
    assert_eq!(again.when(CHANGE), changed());
    let other = given([registered(BIDDER)]).by(BIDDER).when(CHANGE);
    assert_eq!(other, Err(user::Error::NotFound.into()));
    let service = given([]).by_service().when(CHANGE);
    assert_eq!(service, Err(access::Error::Login.into()));
}

#[test]
fn nobody_switches_off_what_a_contract_comes_about_by() {
    let user = given([registered(SELLER)]).by(SELLER);
    for category in Category::ALL {
        for (inbox, mail) in [(false, true), (true, false), (false, false)] {
            let channels = Channels {
                inbox,
                mail,
                sms: false,
                digest: false,
            };
            let chosen = user.when(Change {
                category,
                channels,
                ..CHANGE
            });
            let required = Err(Error::Required.into());
            assert_eq!(chosen == required, category.is_required(), "{category:?}");
        }
        let all = Change {
            category,
            channels: Channels::OF_EVERYBODY,
            ..CHANGE
        };
        assert!(user.when(all).is_ok());
    }
}

#[test]
fn nobody_has_mails_come_together_that_a_contract_comes_about_by() {
    let user = given([registered(SELLER)]).by(SELLER);
    for category in Category::ALL {
        let together = user.when(Change {
            category,
            channels: Channels {
                digest: true,
                ..Channels::OF_EVERYBODY
            },
            ..CHANGE
        });
        let at_once = Err(Error::AtOnce.into());
        assert_eq!(together == at_once, category.is_required(), "{category:?}");
        assert_eq!(together.is_ok(), !category.is_required(), "{category:?}");
    }
}

#[test]
fn whoever_unsubscribes_gets_no_mails_and_is_told_in_the_inbox_as_before() {
    let unsubscribe = |category| Unsubscribe {
        user_id: SELLER,
        category,
        via: Via::OneClick,
    };
    let done = given([]).when(unsubscribe(Category::Unsold)).unwrap();
    let [Write::Event(_, event)] = &done[..] else {
        panic!("one event: {done:?}")
    };
    let mut preferences = Preferences::default();
    let event = tidemark_events::AggregateEvent::from_event(event).unwrap();
    preferences.evolve(event);
    let channels = preferences.channels(Category::Unsold);
    assert_eq!((channels.inbox, channels.mail), (true, false));
}

#[test]
fn nobody_unsubscribes_twice_or_from_what_everybody_is_told() {
    let unsubscribe = |category| Unsubscribe {
        user_id: SELLER,
        category,
        via: Via::Page,
    };
    let required = given([]).when(unsubscribe(Category::Won));
    assert_eq!(required, Err(Error::Required.into()));
    let again = given([]).when(unsubscribe(Category::NotWon));
    assert_eq!(again, Err(Error::Unsubscribed.into()));
}

#[test]
fn texts_are_chosen_only_by_who_has_a_telephone_that_is_verified() {
    let by_text = |category| Change {
        category,
        channels: Channels {
            sms: true,
            ..Channels::OF_EVERYBODY
        },
        ..CHANGE
    };
    let user = || given([registered(SELLER)]).by(SELLER);
    let refused = Err(Error::PhoneUnverified.into());
    let stated = || user().and([sample("user.phone_stated")]);
    let verified = || stated().and([sample("user.phone_verified")]);
    for category in Category::ALL {
        assert_eq!(user().when(by_text(category)), refused);
        assert_eq!(stated().when(by_text(category)), refused);
        assert!(verified().when(by_text(category)).is_ok());
    }
    let removed = verified().and([sample("user.phone_removed")]);
    assert_eq!(removed.when(by_text(Category::Won)), refused);
}

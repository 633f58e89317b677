//! Avatars: the pictures that users are seen by.

use tidemark_events::identity::user::Event;
use tidemark_events::media::media::{Purpose, ShownBy};
use tidemark_events::{MediaId, UserId};

use super::media;
use super::media::Periods;
use crate::decision::refusals;
use crate::identity::access;
use crate::identity::user;
use crate::identity::user::User;
use crate::{Command, Refusal, Stop, View, Write};

/// Chooses the picture that the user who sends the command is seen by, in place of the one before.
#[derive(Clone, Debug)]
pub struct ChooseAvatar {
    /// The user.
    pub user_id: UserId,
    /// A picture that the user has uploaded; none if the user is to have none.
    pub avatar: Option<MediaId>,
    /// How long a picture is kept that nothing shows any more.
    pub periods: Periods,
}

impl Command for ChooseAvatar {
    fn name(&self) -> &'static str {
        "choose_avatar"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([user::Error::NotFound]);
        [access::user_refusals(), own, media::attach_refusals()].concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let user_id = access::user(view)?;
        let User::Registered { avatar: shown, .. } = view.get::<User>(user_id.0)? else {
            return Err(user::Error::NotFound.into());
        };
        if self.user_id != user_id {
            return Err(user::Error::NotFound.into());
        }
        if *shown == self.avatar {
            return Ok(Vec::new());
        }
        let shown_by = ShownBy::User { id: user_id.0 };
        let mut writes = Vec::new();
        if let Some(shown) = *shown {
            writes.extend(media::detach(view, shown, shown_by, self.periods)?);
        }
        if let Some(media_id) = self.avatar {
            let attached = media::attach(view, media_id, user_id, Purpose::Avatar, shown_by);
            writes.extend(attached.map_err(|stop| stop.about("avatar"))?.write);
        }
        let event = Event::AvatarChosen {
            user_id,
            avatar: self.avatar,
        };
        writes.push(Write::event(user_id.0, event));
        Ok(writes)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use tidemark_events::Event as AnyEvent;
    use tidemark_events::media::media::Event as MediaEvent;
    use tidemark_events::samples::{BIDDER, MEDIA, SELLER, moment};

    use super::*;
    use crate::given::{Given, given, registered};

    fn choose(user_id: UserId, avatar: Option<MediaId>) -> ChooseAvatar {
        ChooseAvatar {
            user_id,
            avatar,
            periods: Periods {
                upload: TimeDelta::days(1),
                unshown: TimeDelta::days(1),
                removal: TimeDelta::days(7),
            },
        }
    }

    /// The seller, who has uploaded something for this.
    fn seller(purpose: Purpose) -> Given {
        let stored: AnyEvent = MediaEvent::MediaStored {
            media_id: MEDIA,
            owner_id: SELLER,
            purpose,
            uploaded_sha256: None,
            variants: Vec::new(),
            unshown_until: moment(172_800).into(),
        }
        .into();
        given([registered(SELLER), registered(BIDDER), stored]).by(SELLER)
    }

    #[test]
    fn users_choose_an_avatar_of_their_own() {
        let mut seller = seller(Purpose::Avatar);
        let chosen = seller.execute(choose(SELLER, Some(MEDIA))).unwrap();
        assert_eq!(chosen.len(), 2);
        let again = seller.when(choose(SELLER, Some(MEDIA)));
        assert_eq!(again, Ok(Vec::new()));
        let removed = seller.execute(choose(SELLER, None)).unwrap();
        assert_eq!(removed.len(), 2);
        let other = seller.by(BIDDER);
        for (user_id, code) in [(BIDDER, "media_not_found"), (SELLER, "user_not_found")] {
            let refused = other.when(choose(user_id, Some(MEDIA))).unwrap_err();
            assert_eq!(refused.code.name, code);
        }
    }

    #[test]
    fn a_picture_for_something_else_is_no_avatar() {
        let refused = seller(Purpose::ProductPicture)
            .when(choose(SELLER, Some(MEDIA)))
            .unwrap_err();
        assert_eq!(refused.code.name, "media_of_other_purpose");
        assert_eq!(refused.field, Some("avatar"));
    }
}

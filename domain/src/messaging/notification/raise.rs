//! How a user is notified: the inbox, the mail and the text follow from one decision.

use chrono::TimeDelta;
use tidemark_events::messaging::channels::{Category, Channels};
use tidemark_events::messaging::message::Template;
use tidemark_events::messaging::notice::Notice;
use tidemark_events::messaging::notification::{DedupeKey, Event, Subject};
use tidemark_events::tasks::task::PauseReason;
use tidemark_events::{
    AuctionId, DigestId, Locale, MessageId, Moment, NotificationId, Price, ProductId, Stored,
    TaskId, Timestamp, UserId, WatchListId,
};

use super::{Error, Notification};
use crate::decision::refusals;
use crate::identity::access;
use crate::identity::user;
use crate::identity::user::{Contact, User};
use crate::market::auction;
use crate::market::auction::Auction;
use crate::market::product;
use crate::market::product::Product;
use crate::market::watch_list;
use crate::market::watch_list::WatchList;
use crate::messaging::digest::Join;
use crate::messaging::message::{Request, RequestText, TextLimits};
use crate::messaging::preferences;
use crate::tasks::task;
use crate::{Claim, ClaimScope, Command, Refusal, Stop, View, Write};

/// For how long a user who was outbid in an auction is not told that it has happened again there.
const OUTBID_AGAIN_AFTER: TimeDelta = TimeDelta::seconds(60);

/// What a notification is about, as far as its sender says.
#[derive(Clone, Debug)]
pub enum About {
    /// An auction.
    Auction {
        /// The auction.
        auction_id: AuctionId,
        /// The product that is or was auctioned.
        product_id: ProductId,
        /// The bid that outbids the user, or the price that the buyer pays; none if nothing was sold.
        amount: Option<Price>,
    },
    /// A task that was paused.
    Task {
        /// The task.
        task_id: TaskId,
        /// Why it was paused.
        reason: PauseReason,
    },
}

/// Notifies a user of something, unless the user was told of the same before. Only a service sends it.
#[derive(Clone, Debug)]
pub struct Raise {
    /// The id of the new notification.
    pub notification_id: NotificationId,
    /// The id of the mail, if there is to be one.
    pub message_id: MessageId,
    /// The id of the text, if there is to be one.
    pub text_id: MessageId,
    /// The user.
    pub user_id: UserId,
    /// What it is of.
    pub category: Category,
    /// What it is about.
    pub about: About,
    /// What it has in common with others that tell of the same.
    pub dedupe_key: DedupeKey,
    /// How many mails of one category a user is sent in an hour.
    pub mails_per_hour_max: u32,
    /// The language of mails and texts.
    pub mail_locale: Locale,
    /// How many texts are sent.
    pub text_limits: TextLimits,
    /// How long before the end of an auction those who watch it are told.
    pub ends_soon: TimeDelta,
    /// The id of the digest, if one is to be opened.
    pub digest_id: DigestId,
    /// How long a digest is open.
    pub digest_window: TimeDelta,
}

/// What a notification tells.
struct Told {
    /// The bid that leads, or the price; none if there is none.
    amount: Option<Stored<Price>>,
    /// After this time it is told neither by mail nor by text; none if that is always of use.
    not_after: Option<Timestamp>,
}

impl Raise {
    /// The claim of the notifications that tell of the same, which the last of them holds.
    fn claim(&self) -> Claim {
        let category = self.category.name();
        let key = format!("{} {category} {}", self.user_id, self.dedupe_key.as_str());
        Claim::new(ClaimScope::Notification, key)
    }

    /// The time until which the same is not raised again; none if it never is.
    fn quiet_until(&self, view: &View<'_>) -> Option<Stored<Moment>> {
        match self.category {
            Category::Outbid => Some(Moment::nearest(view.now() + OUTBID_AGAIN_AFTER).into()),
            Category::Won
            | Category::NotWon
            | Category::Sold
            | Category::Unsold
            | Category::EndsSoon => None,
            // Each pause is told, once: its reactor asks once.
            Category::TaskPaused => Some(Moment::nearest(view.now()).into()),
        }
    }

    /// Takes the claim, unless the notification that holds it is not to be repeated yet.
    fn take_claim(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        let claim = self.claim();
        let taken = Write::Claim(claim.clone(), self.notification_id.0);
        let Some(before) = view.owner(&claim)? else {
            return Ok(vec![taken]);
        };
        match view.get::<Notification>(before)? {
            Notification::Raised {
                quiet_until: Some(until),
                ..
            } if view.now() >= **until => Ok(vec![Write::Release(claim), taken]),
            Notification::None | Notification::Raised { .. } => Err(Error::Raised.into()),
        }
    }

    /// What is to be told. Refuses if it is not so any more: the user leads again, watches the auction no more, or it is over,
    /// of which the user is told anyway.
    fn told(&self, view: &View<'_>) -> Result<Told, Stop> {
        let (auction_id, amount) = match self.about {
            About::Auction {
                auction_id, amount, ..
            } => (auction_id, amount),
            About::Task { task_id, reason } => return paused(view, task_id, reason),
        };
        match self.category {
            Category::Outbid => match view.get::<Auction>(auction_id.0)? {
                Auction::Open {
                    terms,
                    leading: Some(bid),
                    ..
                } if bid.bidder_id != self.user_id && view.now() < *terms.ends_at => Ok(Told {
                    amount: Some(bid.amount),
                    not_after: Some(*terms.ends_at),
                }),
                Auction::None
                | Auction::Scheduled { .. }
                | Auction::Open { .. }
                | Auction::Over => Err(Error::Moot.into()),
            },
            Category::EndsSoon => self.ends_soon(view, auction_id),
            Category::TaskPaused => Err(Error::Moot.into()),
            Category::Won | Category::NotWon | Category::Sold | Category::Unsold => Ok(Told {
                amount: amount.map(Stored::from),
                not_after: None,
            }),
        }
    }

    /// That an auction ends soon, which is of no use when it has ended. If a bid has extended it, that is told later.
    fn ends_soon(&self, view: &View<'_>, auction_id: AuctionId) -> Result<Told, Stop> {
        let list = view.get::<WatchList>(WatchListId::of(self.user_id).0)?;
        let (terms, leading) = match view.get::<Auction>(auction_id.0)? {
            Auction::Scheduled { terms } => (terms, None),
            Auction::Open { terms, leading, .. } => (terms, leading.as_ref()),
            Auction::None | Auction::Over => return Err(Error::Moot.into()),
        };
        let ends_at = *terms.ends_at;
        if !list.has(auction_id) || view.now() >= ends_at {
            return Err(Error::Moot.into());
        }
        let due_at = watch_list::remind_at(terms, self.ends_soon);
        if view.now() < due_at {
            return Err(auction::Error::NotDue(due_at).into());
        }
        Ok(Told {
            amount: leading.map(|bid| bid.amount),
            not_after: Some(ends_at),
        })
    }

    /// The mail that brings it, or that it joins those that the mail of a digest brings.
    fn mailed(
        &self,
        view: &View<'_>,
        contact: &Contact,
        notice: Notice,
        told: &Told,
    ) -> Result<Vec<Write>, Stop> {
        if preferences::channels(view, self.user_id, self.category)?.digest {
            let join = Join {
                new_id: self.digest_id,
                window: self.digest_window,
                user_id: self.user_id,
                notice: &notice,
            };
            return join.writes(view);
        }
        let mail = Request {
            message_id: self.message_id,
            template: Template::Notification(Box::new(notice)),
            to: contact.email.clone(),
            name: contact.display_name.clone(),
            not_after: told.not_after,
            per_hour_max: self.mails_per_hour_max,
            locale: self.mail_locale.clone(),
        };
        mail.writes(view)
    }

    fn subject(&self, view: &View<'_>, amount: Option<Stored<Price>>) -> Result<Subject, Stop> {
        let (auction_id, product_id) = match self.about {
            About::Auction {
                auction_id,
                product_id,
                ..
            } => (auction_id, product_id),
            About::Task { task_id, reason } => {
                return Ok(Subject::Task {
                    task_id,
                    name: task::find(view, task_id)?.name.clone(),
                    reason,
                });
            }
        };
        match view.get::<Product>(product_id.0)? {
            Product::None => Err(product::Error::NotFound.into()),
            Product::Described { offer, .. } => Ok(Subject::Auction {
                auction_id,
                product_id,
                title: offer.title.clone(),
                amount,
            }),
        }
    }
}

/// That a task is paused, unless its owner paused it or it runs again.
fn paused(view: &View<'_>, task_id: TaskId, reason: PauseReason) -> Result<Told, Stop> {
    let is_told = match reason {
        PauseReason::Gone | PauseReason::Failing => true,
        PauseReason::Owner | PauseReason::OwnerErased => false,
    };
    if !is_told || !task::find(view, task_id)?.is_paused {
        return Err(Error::Moot.into());
    }
    Ok(Told {
        amount: None,
        not_after: None,
    })
}

impl Command for Raise {
    fn name(&self) -> &'static str {
        "raise_notification"
    }

    fn refusals() -> Vec<Refusal> {
        let own = refusals([Error::Raised, Error::Unwanted, Error::Moot]);
        let absent = refusals([user::Error::NotFound]);
        let no_product = refusals([product::Error::NotFound]);
        let early = refusals([auction::Error::NotDue(Timestamp::UNIX_EPOCH)]);
        let no_task = refusals([task::Error::NotFound, task::Error::Retired]);
        [
            access::service_refusals(),
            own,
            absent,
            no_product,
            no_task,
            early,
        ]
        .concat()
    }

    fn decide(&self, view: &View<'_>) -> Result<Vec<Write>, Stop> {
        access::require_service(view)?;
        let User::Registered { contact, phone, .. } = view.get::<User>(self.user_id.0)? else {
            return Err(user::Error::NotFound.into());
        };
        let channels = preferences::channels(view, self.user_id, self.category)?;
        if !channels.is_any() {
            return Err(Error::Unwanted.into());
        }
        let told = self.told(view)?;
        let subject = self.subject(view, told.amount)?;
        let notice = Notice {
            notification_id: self.notification_id,
            category: self.category,
            subject: subject.clone(),
        };
        let mut texted = Vec::new();
        let mut is_texted = false;
        if let (true, Some(number)) = (channels.sms, &phone.verified) {
            let text = RequestText {
                message_id: self.text_id,
                template: Template::Notification(Box::new(notice.clone())),
                to: number,
                name: &contact.display_name,
                not_after: told.not_after,
                locale: Some(&self.mail_locale),
                limits: self.text_limits,
            };
            let writes = text.writes(view)?;
            is_texted = writes.is_ok();
            texted = writes.unwrap_or_else(|reason| vec![text.suppressed(view.now(), reason)]);
        }
        // Who cannot be sent a text, and has chosen nothing else, finds it in the inbox.
        let channels = Channels {
            inbox: channels.inbox || !(channels.mail || is_texted),
            ..channels
        };
        let mut writes = self.take_claim(view)?;
        writes.push(Write::event(
            self.notification_id.0,
            Event::Raised {
                notification_id: self.notification_id,
                user_id: self.user_id,
                category: self.category,
                subject,
                dedupe_key: self.dedupe_key.clone().into(),
                channels,
                quiet_until: self.quiet_until(view),
            },
        ));
        if channels.mail {
            writes.extend(self.mailed(view, contact, notice, &told)?);
        }
        writes.extend(texted);
        Ok(writes)
    }
}

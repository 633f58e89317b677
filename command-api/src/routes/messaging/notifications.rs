//! The routes by which a service notifies users, and by which these read notifications and put them away.

use axum::extract::State;
use axum::response::Response;
use chrono::TimeDelta;
use garde::Validate;
use serde::Deserialize;
use tidemark_domain::messaging::notification::{About, Archive, Raise, Read, ReadAll};
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::notification::DedupeKey;
use tidemark_events::{AuctionId, DigestId, MessageId, NotificationId, Price, ProductId, UserId};
use tidemark_platform::http::{Json, Path, Problem};
use tidemark_platform::ids::new_id;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::{AcceptedBody, App, Location};
use crate::caller::Caller;
use crate::routes::description::RefusalsOf;
use crate::routes::lists::are_distinct;
use crate::routes::messaging::phones::text_limits;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(raise))
        .routes(routes!(read))
        .routes(routes!(read_all))
        .routes(routes!(archive))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct NewNotification {
    /// The user who is notified.
    user_id: Uuid,
    /// What the notification is of.
    category: Category,
    /// What the notification is about.
    about: NotificationAbout,
    /// The bid that outbids the user, or the price that the buyer pays; leave it out if nothing was sold.
    // It does not stand in `about`, because no problem could point into an object within an enum.
    amount: Option<Price>,
    /// What it has in common with other notifications of the user and the category that tell of the same, such as the
    /// id of the auction: one of them is enough.
    #[schema(value_type = String, min_length = 1, max_length = 100, example = "0193a1f0-5f0e-7cc3-9d54-1f2a9c6b7e10")]
    dedupe_key: DedupeKey,
}

/// What a notification is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NotificationAbout {
    /// What that is.
    kind: SubjectKind,
    /// The auction.
    auction_id: Uuid,
    /// The product that is or was auctioned.
    product_id: Uuid,
}

/// What notifications can be about.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SubjectKind {
    /// An auction.
    Auction,
}

impl NotificationAbout {
    fn with(self, amount: Option<Price>) -> About {
        match self.kind {
            SubjectKind::Auction => About::Auction {
                auction_id: AuctionId(self.auction_id),
                product_id: ProductId(self.product_id),
                amount,
            },
        }
    }
}

/// Notify a user
///
/// Whether the notification is in the user's inbox, and whether a mail or a text is sent, the user has chosen. That an auction ends soon is
/// told to those who watch it alone, and before it does the answer is 409 `not_due`. Only services may do this.
#[utoipa::path(
    post,
    path = "/v1/notifications",
    operation_id = "raise_notification",
    tag = "services",
    security(("service" = [])),
    responses((status = 201, body = AcceptedBody), RefusalsOf<Raise>)
)]
async fn raise(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<NewNotification>,
) -> Result<Response, Problem> {
    let id = new_id();
    let command = Raise {
        notification_id: NotificationId(id),
        message_id: MessageId(new_id()),
        text_id: MessageId(new_id()),
        user_id: UserId(body.user_id),
        category: body.category,
        about: body.about.with(body.amount),
        dedupe_key: body.dedupe_key,
        mails_per_hour_max: app.config.mail.per_hour_max,
        mail_locale: app.mail_locale.clone(),
        text_limits: text_limits(&app.config.sms),
        ends_soon: TimeDelta::seconds(app.config.market.ends_soon_s),
        digest_id: DigestId(new_id()),
        digest_window: TimeDelta::seconds(app.config.mail.digest_s),
    };
    let location = Location("/v1/audit/streams/{id}/events");
    app.create(&caller, id, command, location).await
}

/// Mark a notification as read
///
/// Only the user whose inbox it is in may do this; for everybody else it does not exist.
#[utoipa::path(
    post,
    path = "/v1/notifications/{id}/read",
    operation_id = "read_notification",
    tag = "notifications",
    params(("id" = Uuid, Path, description = "The notification")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Read>)
)]
async fn read(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Read {
        notification_id: NotificationId(id),
    };
    app.change(&caller, id, command).await
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[garde(allow_unvalidated)]
struct ReadNotifications {
    /// The ids of the notifications, each once: up to 50.
    #[garde(length(min = 1, max = 50), custom(are_distinct))]
    #[schema(min_items = 1, max_items = 50)]
    notifications: Vec<Uuid>,
}

/// Mark several notifications as read
///
/// All of them are, or none is. Those that are read or archived may be among them, but not all may be. To read everything, send the
/// ids of a page of unread notifications until there is none. The answer has the id and the version of the first. Only the user whose
/// inbox they are in may do this; for everybody else they do not exist.
#[utoipa::path(
    post,
    path = "/v1/notifications/read",
    operation_id = "read_notifications",
    tag = "notifications",
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<ReadAll>)
)]
async fn read_all(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ReadNotifications>,
) -> Result<Response, Problem> {
    let first = body.notifications.first().copied().unwrap_or_default();
    let ids = body.notifications.into_iter();
    let command = ReadAll {
        notification_ids: ids.map(NotificationId).collect(),
    };
    app.change(&caller, first, command).await
}

/// Archive a notification
///
/// It is marked as read, too, unless it is. Only the user whose inbox it is in may do this; for everybody else it does
/// not exist.
#[utoipa::path(
    post,
    path = "/v1/notifications/{id}/archive",
    operation_id = "archive_notification",
    tag = "notifications",
    params(("id" = Uuid, Path, description = "The notification")),
    security(("user" = [])),
    responses((status = 200, body = AcceptedBody), RefusalsOf<Archive>)
)]
async fn archive(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let command = Archive {
        notification_id: NotificationId(id),
    };
    app.change(&caller, id, command).await
}

//! The routes of media, with a request that each accepts.

use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_events::media::media::{EndReason, Event, PictureType, Purpose, Sha256};
use tidemark_events::{Event as AnyEvent, MediaId, Moment, Stored, UserId};
use tidemark_platform::ids::new_id;
use tidemark_tests::pictures::{picture, upload_for_category};
use tidemark_tests::{App, Client, append_strange};
use uuid::Uuid;

use super::resumed::{metadata, open};
use crate::http::routes::{Audience, Route};

/// The reactor that has media removed that are not needed any more.
pub(super) const KEEPER: &str = "media-keeper";

/// A time that is over.
const PAST: &str = "2026-01-01T00:00:00Z";

pub(crate) async fn routes(app: &App) -> Vec<Route> {
    let market = app.market().await;
    let seller = &market.seller;
    let keeper = app.reactor(KEEPER);
    let of_keeper = |template| Route::post(template, Audience::Service(KEEPER), &keeper);
    let file = picture(4, 3, ImageFormat::Png);
    let product = market.draft().await;
    let pictures = json!({
        "pictures": [market.picture().await],
        "video": "https://videos.example/1",
    });
    let user = app.user().await;
    let avatar = user.upload_as("avatar", "image/png", file.clone()).await;
    let avatar = avatar.ok().id();
    let twice = json!([product, product]);
    vec![
        Route::post("/v1/media", Audience::Role("seller"), seller)
            .query("purpose=product_picture")
            .sending("image/png", file.clone()),
        of_tus(
            Method::POST,
            "/v1/uploads",
            Audience::Role("seller"),
            seller,
        )
        .header("upload-length", file.len().to_string())
        .header("upload-metadata", metadata("image/png")),
        of_tus(Method::PATCH, "/v1/uploads/{id}", Audience::Owner, seller)
            .about(opened(seller, file.len()).await)
            .header("upload-offset", "0")
            .sending("application/offset+octet-stream", file.clone()),
        of_tus(Method::DELETE, "/v1/uploads/{id}", Audience::Owner, seller)
            .about(opened(seller, file.len()).await),
        Route::post("/v1/media/{id}/delete", Audience::Owner, seller).about(market.picture().await),
        Route::post(
            "/v1/products/{id}/pictures",
            Audience::Role("seller"),
            seller,
        )
        .about(product)
        .with(pictures)
        .optional(&["/video"])
        .out_of_range("/pictures", [twice])
        .out_of_range(
            "/video",
            ["", "videos.example", "ftp://videos.example"].map(Value::from),
        ),
        Route::post(
            "/v1/categories/{id}/picture",
            Audience::Role("admin"),
            app.admin().await,
        )
        .about(app.category(None).await)
        .with(json!({"picture": upload_for_category(app).await}))
        .optional(&["/picture"]),
        Route::post("/v1/media/{id}/links", Audience::Owner, seller)
            .about(market.picture().await)
            .with(json!({"variant": "full"}))
            .out_of_range("/variant", [json!("huge")]),
        Route::post("/v1/users/{id}/avatar", Audience::Owner, &user)
            .about(user.id)
            .with(json!({"avatar": avatar}))
            .optional(&["/avatar"]),
        of_keeper("/v1/media/{id}/expire-upload").about(expired(app, seller.id).await),
        of_keeper("/v1/media/{id}/delete-unshown")
            .about(unshown(app, seller.id).await)
            .with(json!({"unshown_until": PAST})),
        of_keeper("/v1/media/{id}/record-removal").about(aborted(app, seller.id).await),
    ]
}

/// A route that speaks tus.
fn of_tus(method: Method, template: &'static str, audience: Audience, client: &Client) -> Route {
    Route::new(method, template, audience, client).header("tus-resumable", "1.0.0")
}

/// An upload of so many bytes that goes on.
async fn opened(client: &Client, bytes: usize) -> Uuid {
    let location = open(client, bytes).await;
    location.rsplit('/').next().unwrap().parse().unwrap()
}

fn past() -> Moment {
    PAST.to_owned().try_into().unwrap()
}

async fn append(app: &App, id: Uuid, event: Event) {
    let encoded = AnyEvent::from(event).encode().unwrap();
    append_strange(&app.settings, id, encoded).await;
}

/// An upload whose time is over.
async fn expired(app: &App, owner: Uuid) -> Uuid {
    let id = new_id();
    let opened = Event::UploadOpened {
        media_id: MediaId(id),
        owner_id: UserId(owner),
        purpose: Purpose::ProductPicture,
        picture_type: Some(PictureType::Png),
        bytes: 1,
        expires_at: past().into(),
    };
    append(app, id, opened).await;
    id
}

/// An upload that its owner gave up.
async fn aborted(app: &App, owner: Uuid) -> Uuid {
    let id = expired(app, owner).await;
    let ended = Event::UploadEnded {
        media_id: MediaId(id),
        owner_id: UserId(owner),
        reason: EndReason::Aborted,
    };
    append(app, id, ended).await;
    id
}

/// Media that nothing has shown for long.
async fn unshown(app: &App, owner: Uuid) -> Uuid {
    let id = new_id();
    let sha256: Sha256 = "5a".repeat(32).try_into().unwrap();
    let stored = Event::MediaStored {
        media_id: MediaId(id),
        owner_id: UserId(owner),
        purpose: Purpose::ProductPicture,
        uploaded_sha256: Some(Stored::from(sha256)),
        variants: Vec::new(),
        unshown_until: past().into(),
    };
    append(app, id, stored).await;
    id
}

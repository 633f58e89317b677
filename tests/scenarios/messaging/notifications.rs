//! Bidders and sellers are told of what happens in their auctions: in the inbox and by mail, as they want, and once.

use serde_json::{Value, json};
use tidemark_tests::market::{eur, won};
use tidemark_tests::{Answer, App, Client, MailServer, User, eventually};
use uuid::Uuid;

use super::mail::{mailing, ready};
use crate::projection::rebuilds::order;

/// The notifications of a list, the newest first.
async fn notifications(user: &Client, query: &str) -> Vec<Value> {
    let page = user.get(&format!("/v1/me/notifications{query}")).await;
    page.ok().body["items"].as_array().unwrap().clone()
}

/// The categories of the notifications, the newest first.
async fn told(user: &Client) -> Vec<String> {
    let notifications = notifications(user, "").await.into_iter();
    let category = |it: Value| it["category"].as_str().unwrap().to_owned();
    notifications.map(category).collect()
}

async fn unread(user: &Client) -> Value {
    user.get("/v1/me/inbox").await.ok().body["unread"].clone()
}

/// Chooses the channels of a category.
async fn choose(user: &User, category: &str, inbox: bool, mail: bool) -> Answer {
    let path = format!("/v1/users/{}/preferences", user.id);
    let body = json!({"category": category, "inbox": inbox, "mail": mail});
    user.post(&path, &body).await
}

/// The notifications and mails of which the log tells, of all users.
async fn counts(app: &App) -> (i64, i64) {
    let sql = "select count(*) filter (where type = 'notification.raised'),
                      count(*) filter (where type = 'message.requested' and data::text like '%notification_id%')
                 from events";
    let counts = sqlx::query_as(sql).fetch_one(&app.database.pool);
    counts.await.unwrap()
}

#[tokio::test]
async fn who_is_outbid_finds_it_in_the_inbox_and_gets_a_mail() {
    let mut server = MailServer::start().await;
    let app = mailing(&server).await;
    let (market, first, second) = (app.market().await, app.user().await, app.user().await);
    let auction = market.auction(json!({})).await;
    first.bid(auction, 1_000).await.ok();
    // Nobody outbids themselves.
    first.bid(auction, 1_100).await.ok();
    second.bid(auction, 1_200).await.ok();
    let notification = eventually("a notification", || async {
        notifications(&first, "").await.pop()
    });
    let notification = notification.await;
    assert_eq!(notification["category"], "outbid");
    assert_eq!(notification["status"], "unread");
    assert_eq!(notification["user_id"], json!(first.id));
    let about = &notification["about"];
    assert_eq!(about["auction_id"], json!(auction));
    assert_eq!(about["title"], "Ship's chronometer");
    assert_eq!(about["amount"], eur(1_200));
    let mail = loop {
        // Those who registered are greeted, too.
        let mail = server.received().await;
        if mail.content.contains("outbid") {
            break mail;
        }
    };
    assert_eq!(mail.to, [first.email.as_str()]);
    for part in [
        "Subject: You were outbid: Ship's chronometer",
        &format!("Hello {},", first.display_name),
        "has bid 12.00 EUR for \"Ship's chronometer\"",
        &auction.to_string(),
    ] {
        assert!(mail.content.contains(part), "{part}: {}", mail.content);
    }
    app.settle().await;
    assert_eq!(counts(&app).await, (1, 1));
    assert_eq!(unread(&second).await, 0);
}

#[tokio::test]
async fn who_is_outbid_again_at_once_is_told_once() {
    let app = ready(App::start_all().await).await;
    let (market, first, second) = (app.market().await, app.user().await, app.user().await);
    let auction = market.auction(json!({})).await;
    for (number, bidder) in (10..16).zip([&first, &second].into_iter().cycle()) {
        bidder.bid(auction, number * 100).await.ok();
        app.settle().await;
    }
    eventually("who is outbid to be told", || async {
        (!told(&first).await.is_empty()).then_some(())
    })
    .await;
    app.settle().await;
    assert_eq!(told(&first).await, ["outbid"]);
    assert_eq!(
        told(&second).await,
        [""; 0],
        "who leads again is told nothing"
    );
}

/// The winner and the loser of an auction that sells, and its seller.
async fn sell(app: &App) -> (User, User, User) {
    let (market, winner, loser) = (app.market().await, app.user().await, app.user().await);
    choose(&loser, "outbid", false, false).await.ok();
    let ends_at = app.database.in_seconds(3).await;
    let sold = market.auction(json!({"ends_at": ends_at})).await;
    let unsold = market.auction(json!({"ends_at": ends_at})).await;
    loser.bid(sold, 1_000).await.ok();
    winner.bid(sold, 1_100).await.ok();
    app.settle().await;
    for auction in [sold, unsold] {
        eventually("the auction to be closed", || async {
            let auction = app.client.get(&format!("/v1/auctions/{auction}")).await;
            (auction.ok().body["status"] == "closed").then_some(())
        })
        .await;
    }
    app.settle().await;
    (winner, loser, market.seller)
}

#[tokio::test]
async fn the_end_is_told_to_winners_losers_and_sellers_as_they_want() {
    let app = ready(App::start_all().await).await;
    let (winner, loser, seller) = sell(&app).await;
    assert_eq!(told(&winner).await, ["won"]);
    assert_eq!(
        told(&loser).await,
        ["not_won"],
        "and not that they were outbid"
    );
    let mut sellers = told(&seller).await;
    sellers.sort();
    assert_eq!(sellers, ["sold", "unsold"]);
    assert_eq!(unread(&seller).await, 2);
    // By default nobody is sent a mail because they have not won.
    assert_eq!(counts(&app).await, (4, 3));
    assert_eq!(
        notifications(&winner, "").await[0]["about"]["amount"],
        eur(1_100)
    );
}

#[tokio::test]
async fn notifications_are_read_and_put_away_by_their_user_alone() {
    let app = App::builder().projector().queries().start().await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    let first = market.notification(user.id).await;
    let second = market.notification(user.id).await;
    app.settle().await;
    assert_eq!(unread(&user).await, 2);
    let path = |id: Uuid, what: &str| format!("/v1/notifications/{id}/{what}");
    for what in ["read", "archive"] {
        let answer = other.post_empty(&path(first, what)).await;
        answer.problem(404, "notification_not_found");
    }
    user.post_empty(&path(first, "read")).await.ok();
    let again = user.post_empty(&path(first, "read")).await;
    again.problem(409, "notification_read");
    let archived = user.post_empty(&path(second, "archive")).await.ok();
    let user_now = user.with_tidemark(archived.tidemark());
    assert_eq!(unread(&user_now).await, 0);
    for (query, expected) in [
        ("", vec![first]),
        ("?status=unread", vec![]),
        ("?status=read", vec![first]),
        ("?status=archived", vec![second]),
    ] {
        let found = notifications(&user_now, query).await.into_iter();
        let ids: Vec<Value> = found.map(|it| it["id"].clone()).collect();
        assert_eq!(json!(ids), json!(expected), "{query}");
    }
    assert!(notifications(&other, "").await.is_empty());
    for path in ["/v1/me/notifications", "/v1/me/inbox", "/v1/me/preferences"] {
        app.client.get(path).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn what_is_unread_is_read_at_once() {
    let app = App::builder().projector().queries().start().await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(market.notification(user.id).await);
    }
    let path = format!("/v1/notifications/{}/archive", ids[0]);
    user.post_empty(&path).await.ok();
    let read = |ids: &[Uuid]| json!({"notifications": ids});
    let path = "/v1/notifications/read";
    let answer = other.post(path, &read(&ids)).await;
    answer.problem(404, "notification_not_found");
    let too_many: Vec<_> = (0..51).map(Uuid::from_u128).collect();
    user.post(path, &read(&too_many))
        .await
        .problem(422, "invalid");
    let head = app.database.head().await;
    let answer = user.post(path, &read(&ids)).await.ok();
    assert_eq!(app.database.head().await, head + 2, "one was read before");
    let user_now = user.with_tidemark(answer.tidemark());
    assert_eq!(unread(&user_now).await, 0);
    let again = user.post(path, &read(&ids)).await;
    again.problem(409, "notification_read");
}

#[tokio::test]
async fn notifications_come_page_by_page_the_newest_first() {
    let app = App::builder().projector().queries().start().await;
    let (market, user) = (app.market().await, app.user().await);
    let mut raised = Vec::new();
    for _ in 0..5 {
        raised.insert(0, market.notification(user.id).await);
    }
    app.settle().await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/me/notifications?limit=2{cursor}");
        let page = user.get(&path).await.ok().body;
        let items = page["items"].as_array().unwrap();
        found.extend(items.iter().map(|it| it["id"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(json!(found), json!(raised));
}

#[tokio::test]
async fn users_choose_their_channels_except_where_a_contract_comes_about() {
    let app = App::builder().projector().queries().start().await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    app.settle().await;
    let chosen = async |user: &Client| user.get("/v1/me/preferences").await.ok().body;
    let before = chosen(&user).await;
    let is_required = |it: &&Value| it["required"] == true;
    let required = before["categories"]
        .as_array()
        .unwrap()
        .iter()
        .filter(is_required);
    let required: Vec<_> = required.map(|it| it["category"].clone()).collect();
    assert_eq!(required, ["won", "sold"]);

    let changed = choose(&user, "unsold", false, true).await.ok();
    let after = chosen(&user.with_tidemark(changed.tidemark())).await;
    let unsold = json!({"category": "unsold", "inbox": false, "mail": true, "sms": false, "digest": false, "required": false});
    assert!(
        after["categories"].as_array().unwrap().contains(&unsold),
        "{after}"
    );
    assert_eq!(
        (&before["version"], &after["version"]),
        (&json!(0), &json!(1))
    );
    let refused = choose(&user, "won", true, false).await;
    refused.problem(409, "notification_required");
    let path = format!("/v1/users/{}/preferences", user.id);
    let body = json!({"category": "outbid", "inbox": false, "mail": false});
    other
        .post(&path, &body)
        .await
        .problem(404, "user_not_found");

    choose(&user, "unsold", false, false).await.ok();
    let mut unwanted = won(user.id, market.draft().await);
    unwanted["category"] = "unsold".into();
    let notifier = app.reactor("auction-notifier");
    let answer = notifier.post("/v1/notifications", &unwanted).await;
    answer.problem(409, "notification_unwanted");
}

#[tokio::test]
async fn the_same_is_raised_once() {
    let app = App::start().await;
    let (market, user) = (app.market().await, app.user().await);
    let body = won(user.id, market.draft().await);
    let notifier = app.reactor("auction-notifier");
    notifier.post("/v1/notifications", &body).await.ok();
    let again = notifier.post("/v1/notifications", &body).await;
    again.problem(409, "notification_raised");
    assert_eq!(counts(&app).await, (1, 1));
}

#[tokio::test]
async fn read_models_that_are_built_again_tell_nobody_again() {
    let app = ready(App::start_all().await).await;
    let (winner, ..) = sell(&app).await;
    let before = counts(&app).await;
    for read_model in ["auction", "inbox", "notification"] {
        let built = order(&app, &["rebuild", read_model]).await;
        assert!(built.status.success(), "{built:?}");
    }
    app.settle().await;
    assert_eq!(counts(&app).await, before);
    assert_eq!(told(&winner).await, ["won"]);
}

//! Users who want it are sent one mail of a category in place of many: what they are told of while a digest is open comes at its end.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::{Answer, App, Client, MailServer, ReceivedMail, User, eventually};

use super::mail::{mailer_to, mailing_to, ready};
use super::suppressions::await_events;
use super::unsubscribing::{ONE_CLICK, PUBLIC_URL, header, mail_about, page_of, send, tell_unsold};

/// An application whose mails go to this server, and whose digests are open for so many seconds.
async fn app(server: &MailServer, digest_s: u32) -> App {
    let app = mailing_to(server)
        .set("TIDEMARK_MAIL__PUBLIC_URL", PUBLIC_URL)
        .set("TIDEMARK_MAIL__DIGEST_S", digest_s)
        .start()
        .await;
    ready(app).await
}

/// Chooses how mails of a category come.
async fn choose(user: &User, category: &str, mail: bool, digest: bool) -> Answer {
    let path = format!("/v1/users/{}/preferences", user.id);
    let body = json!({"category": category, "inbox": true, "mail": mail, "digest": digest});
    user.post(&path, &body).await
}

/// What the log has of mails of a category that were to be sent.
async fn mails_of(app: &App, category: &str) -> Vec<Value> {
    let requested = app.events("message.requested").await.into_iter();
    let templates = requested.map(|mut it| it["template"].take());
    let is_of_category = |it: &Value| {
        it["notification"]["category"] == category || it["digest"]["category"] == category
    };
    templates.filter(is_of_category).collect()
}

/// What a mail says, with its long lines whole (RFC 2045, section 6.7).
fn unfolded(mail: &ReceivedMail) -> String {
    mail.content.replace("\r\n", "\n").replace("=\n", "")
}

#[tokio::test]
async fn what_happens_in_one_window_comes_in_one_mail_and_what_happens_later_in_another() {
    let mut server = MailServer::start().await;
    let app = app(&server, 12).await;
    let (market, first, second) = (app.market().await, app.user().await, app.user().await);
    choose(&first, "outbid", true, true).await.ok();
    let mut auctions = Vec::new();
    for _ in 0..3 {
        let auction = market.auction(json!({})).await;
        first.bid(auction, 1_000).await.ok();
        auctions.push(auction.to_string());
    }
    for auction in &auctions[..2] {
        second.bid(auction.parse().unwrap(), 1_200).await.ok();
    }
    let mail = mail_about(&mut server, "You were outbid").await;
    assert_eq!(mail.to, [first.email.as_str()]);
    let subject = header(&mail, "Subject");
    assert_eq!(subject.as_deref(), Some("You were outbid, 2 times"));
    let joined = app.events("digest.joined").await;
    assert_eq!(joined.len(), 2, "{joined:?}");
    let lines = joined.iter().map(|it| {
        let auction = it["notice"]["subject"]["auction_id"].as_str().unwrap();
        format!("- \"Ship's chronometer\", by a bid of 12.00 EUR (auction {auction})")
    });
    let content = unfolded(&mail);
    let found = content.lines().filter(|it| it.starts_with("- "));
    assert!(found.eq(lines), "the newest is last: {content}");
    assert!(content.contains(&format!("Hello {},", first.display_name)));

    second.bid(auctions[2].parse().unwrap(), 1_200).await.ok();
    let later = mail_about(&mut server, "You were outbid").await;
    let subject = header(&later, "Subject");
    assert_eq!(subject.as_deref(), Some("You were outbid, once"));
    for (auction, is_in_it) in auctions.iter().zip([false, false, true]) {
        let content = unfolded(&later);
        assert_eq!(content.contains(auction), is_in_it, "{content}");
    }
    app.settle().await;
    assert_eq!(mails_of(&app, "outbid").await.len(), 2);
    let told = first.get("/v1/me/notifications").await.ok().body;
    assert_eq!(told["items"].as_array().unwrap().len(), 3, "as before");

    let operator = app.user_with("operator").await;
    let path = format!("/v1/operations/deliveries?user_id={}", first.id);
    eventually("both mails to be delivered", || async {
        app.settle().await;
        let found = operator.get(&path).await.ok().body;
        let items = found["items"].as_array().unwrap().iter();
        let is_delivered = |it: &&Value| it["category"] == "outbid" && it["status"] == "accepted";
        (items.filter(is_delivered).count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_close_that_is_sent_again_sends_no_second_mail() {
    let mut server = MailServer::start().await;
    let app = app(&server, 1).await;
    let user = app.user().await;
    choose(&user, "unsold", true, true).await.ok();
    tell_unsold(&app, &user).await;
    mail_about(&mut server, "not sold, once").await;
    app.settle().await;
    let closed = app.events("digest.closed").await.remove(0);
    assert_eq!(closed["outcome"], "mail");
    // As if the projector had died before it stored the answer.
    let sql = "update reactor_actions set done_at = null, outcome = null, next_attempt_at = now() where reactor = 'digest-timer'";
    sqlx::query(sql).execute(&app.database.pool).await.unwrap();
    app.settle().await;
    let path = format!(
        "/v1/digests/{}/close",
        closed["digest_id"].as_str().unwrap()
    );
    let again = app.reactor("digest-timer").post_empty(&path).await;
    again.problem(409, "digest_closed");
    assert_eq!(mails_of(&app, "unsold").await.len(), 1);
}

#[tokio::test]
async fn of_many_that_close_a_digest_through_two_processes_one_does() {
    let app = App::builder()
        .set("TIDEMARK_MAIL__DIGEST_S", 1)
        .start()
        .await;
    let second = app.spawn_command_api().await;
    let user = app.user().await;
    choose(&user, "unsold", true, true).await.ok();
    tell_unsold(&app, &user).await;
    let digest = app.events("digest.opened").await.remove(0);
    let path = format!(
        "/v1/digests/{}/close",
        digest["digest_id"].as_str().unwrap()
    );
    let timer = app.reactor("digest-timer");
    let timers = [timer.clone(), timer.via_command_api(&second.url)];
    let close = async |client: &Client| {
        eventually("the end of the window", || async {
            let answer = client.post_empty(&path).await;
            (answer.code() != "not_due").then_some(answer)
        })
        .await
    };
    let attempts = (0..10).flat_map(|_| &timers).map(close);
    let (closed, refused): (Vec<_>, Vec<_>) =
        { join_all(attempts).await.into_iter() }.partition(Answer::is_ok);
    assert_eq!(closed.len(), 1);
    for answer in refused {
        answer.problem(409, "digest_closed");
    }
    assert_eq!(mails_of(&app, "unsold").await.len(), 1);
}

#[tokio::test]
async fn whoever_has_switched_mails_off_meanwhile_is_sent_none_and_others_come_at_once() {
    let mut server = MailServer::start().await;
    let app = app(&server, 4).await;
    let user = app.user().await;
    choose(&user, "unsold", true, true).await.ok();
    tell_unsold(&app, &user).await;
    choose(&user, "unsold", false, true).await.ok();
    app.market().await.notification(user.id).await;
    mail_about(&mut server, "You have won: Ship's chronometer").await;
    let closed = await_events(&app, "digest.closed", 1).await;
    assert_eq!(closed[0]["outcome"], "mails_off");
    assert_eq!(closed[0]["message_id"], Value::Null);
    app.settle().await;
    assert_eq!(mails_of(&app, "unsold").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_digest_is_stopped_by_one_click() {
    let mut server = MailServer::start().await;
    let app = app(&server, 1).await;
    let user = app.user().await;
    choose(&user, "unsold", true, true).await.ok();
    tell_unsold(&app, &user).await;
    let mail = mail_about(&mut server, "not sold, once").await;
    let answer = send(&app, Method::POST, &page_of(&mail), ONE_CLICK).await;
    assert_eq!(answer.status(), 200);
    tell_unsold(&app, &user).await;
    app.settle().await;
    assert_eq!(app.events("digest.opened").await.len(), 1);
    assert_eq!(mails_of(&app, "unsold").await.len(), 1);
}

#[tokio::test]
async fn a_digest_of_somebody_who_was_erased_is_not_sent() {
    // Nothing says where mails go, so they wait.
    let app = ready(App::builder().projector().start().await).await;
    let user = app.user().await;
    choose(&user, "unsold", true, true).await.ok();
    tell_unsold(&app, &user).await;
    let closed = await_events(&app, "digest.closed", 1).await;
    sqlx::query("select destroy_subject_keys($1)")
        .bind(user.id)
        .execute(&app.database.pool)
        .await
        .unwrap();
    let server = MailServer::start().await;
    let _mailer = mailer_to(&app, &server).await;
    let ended = eventually("the mail to end", || async {
        let ended = app.events("message.ended").await.into_iter();
        { ended }.find(|it| it["message_id"] == closed[0]["message_id"])
    });
    assert_eq!(ended.await["outcome"], "recipient_erased");
}

#[tokio::test]
async fn users_choose_digests_except_of_what_everybody_is_told_at_once() {
    let app = App::builder().projector().queries().start().await;
    let user = app.user().await;
    let digests = async || {
        app.settle().await;
        let preferences = user.get("/v1/me/preferences").await.ok().body;
        let categories = preferences["categories"].as_array().unwrap().iter();
        let chosen = categories.filter(|it| it["digest"] == true);
        let names = chosen.map(|it| it["category"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(digests().await, [""; 0], "by default");
    choose(&user, "outbid", true, true).await.ok();
    assert_eq!(digests().await, ["outbid"]);
    for category in ["won", "sold"] {
        let refused = choose(&user, category, true, true).await;
        refused.problem(409, "digest_unavailable");
    }
    let path = format!("/v1/users/{}/preferences", user.id);
    let as_before = json!({"category": "outbid", "inbox": true, "mail": true});
    user.post(&path, &as_before).await.ok();
    assert_eq!(digests().await, [""; 0], "who leaves it out has none");
}

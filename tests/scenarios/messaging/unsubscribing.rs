//! Whoever has a mail stops others like it by one click, or by the page that the mail names.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tidemark_tests::mail_server::ReceivedMail;
use tidemark_tests::{Answer, App, MailServer, User};

use super::mail::{mailing_to, ready};

/// Where recipients reach the command API, as mails say.
pub(super) const PUBLIC_URL: &str = "https://tidemark.example";
/// What mail programs send.
pub(super) const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

async fn app(server: &MailServer) -> App {
    let app = mailing_to(server).set("TIDEMARK_MAIL__PUBLIC_URL", format!("{PUBLIC_URL}/"));
    ready(app.start().await).await
}

/// A header of a mail, with its lines joined.
pub(super) fn header(mail: &ReceivedMail, name: &str) -> Option<String> {
    let content = mail.content.replace("\r\n", "\n").replace("\n ", " ");
    let mut head = content.lines().take_while(|line| !line.is_empty());
    head.find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found == name).then(|| value.trim().to_owned())
    })
}

/// The path of the page that a mail names.
pub(super) fn page_of(mail: &ReceivedMail) -> String {
    let url = header(mail, "List-Unsubscribe").unwrap();
    let url = url.trim_matches(['<', '>']);
    url.strip_prefix(PUBLIC_URL).unwrap().to_owned()
}

/// The next mail with this subject.
pub(super) async fn mail_about(server: &mut MailServer, subject: &str) -> ReceivedMail {
    loop {
        let mail = server.received().await;
        if header(&mail, "Subject").is_some_and(|it| it.contains(subject)) {
            return mail;
        }
    }
}

/// Tells a user that their auction has ended without a sale, of which they are sent a mail.
pub(super) async fn tell_unsold(app: &App, user: &User) {
    let market = app.market().await;
    let mut body = tidemark_tests::market::won(user.id, market.draft().await);
    body["category"] = json!("unsold");
    body.as_object_mut().unwrap().remove("amount");
    let notifier = app.reactor("auction-notifier");
    notifier.post("/v1/notifications", &body).await.ok();
}

pub(super) async fn send(app: &App, method: Method, path: &str, body: &'static str) -> Response {
    let request = app.client.command(method, path);
    let form = "application/x-www-form-urlencoded";
    let request = request
        .header("content-type", form)
        .header("accept", "text/html");
    request.body(body).send().await.unwrap()
}

/// What the log says of who unsubscribed.
async fn unsubscribed(app: &App) -> Vec<Value> {
    let sql = "select data::text from events where type = 'preferences.unsubscribed'";
    let data: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    data.iter()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect()
}

#[tokio::test]
async fn one_click_in_a_mail_program_stops_mails_of_that_category_and_nothing_else() {
    let mut server = MailServer::start().await;
    let app = app(&server).await;
    let user = app.user().await;
    tell_unsold(&app, &user).await;
    let mail = mail_about(&mut server, "not sold").await;
    assert_eq!(
        header(&mail, "List-Unsubscribe-Post").as_deref(),
        Some(ONE_CLICK)
    );
    let page = page_of(&mail);
    for _ in 0..2 {
        let answer = send(&app, Method::POST, &page, ONE_CLICK).await;
        assert_eq!(answer.status(), 200, "and no redirect");
        assert!(!answer.headers().contains_key("set-cookie"));
    }
    let recorded = unsubscribed(&app).await;
    assert_eq!(recorded.len(), 1, "{recorded:?}");
    assert_eq!(recorded[0]["category"], "unsold");
    assert_eq!(recorded[0]["via"], "one_click");
    app.settle().await;
    let preferences = user.get("/v1/me/preferences").await.ok().body;
    let unsold = json!({"category": "unsold", "inbox": true, "mail": false, "sms": false, "digest": false, "required": false});
    let categories = preferences["categories"].as_array().unwrap();
    assert!(categories.contains(&unsold), "{preferences}");
    let with_mail = categories.iter().filter(|it| it["mail"] == true).count();
    assert_eq!(with_mail, 5, "{preferences}");

    tell_unsold(&app, &user).await;
    app.settle().await;
    let notifications = user.get("/v1/me/notifications").await.ok().body;
    assert_eq!(notifications["items"].as_array().unwrap().len(), 2);
    let sql = "select count(*) from events where type = 'message.requested' and data::text like '%unsold%'";
    let mails: i64 = sqlx::query_scalar(sql)
        .fetch_one(&app.database.pool)
        .await
        .unwrap();
    assert_eq!(mails, 1);
}

#[tokio::test]
async fn the_page_that_a_mail_names_asks_first() {
    let mut server = MailServer::start().await;
    let app = app(&server).await;
    let user = app.user().await;
    tell_unsold(&app, &user).await;
    let mail = mail_about(&mut server, "not sold").await;
    let page = page_of(&mail);
    assert!(mail.content.contains(&format!("{PUBLIC_URL}{page}")));
    for method in [Method::GET, Method::HEAD] {
        let asked = send(&app, method, &page, "").await;
        assert_eq!(asked.status(), 200);
        let kind = asked.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("text/html"), "{kind}");
    }
    let asked = send(&app, Method::GET, &page, "")
        .await
        .text()
        .await
        .unwrap();
    assert!(asked.contains("<form method=\"post\">"), "{asked}");
    assert_eq!(
        unsubscribed(&app).await,
        [Value::Null; 0],
        "a look changes nothing"
    );
    send(&app, Method::POST, &page, "").await;
    assert_eq!(unsubscribed(&app).await[0]["via"], "page");
}

#[tokio::test]
async fn what_everybody_is_told_names_no_such_page() {
    let mut server = MailServer::start().await;
    let app = app(&server).await;
    let user = app.user().await;
    let greeting = server.received().await;
    app.market().await.notification(user.id).await;
    let won = mail_about(&mut server, "You have won").await;
    for mail in [greeting, won] {
        assert_eq!(header(&mail, "List-Unsubscribe"), None);
        assert_eq!(header(&mail, "List-Unsubscribe-Post"), None);
        assert!(!mail.content.contains("/unsubscribe/"));
    }
}

#[tokio::test]
async fn a_link_that_is_not_ours_does_nothing() {
    let app = App::start().await;
    let head = app.database.head().await;
    for token in ["a", "AAAA", &"A".repeat(60), &"A".repeat(4_000), "%2e%2e"] {
        for method in [Method::GET, Method::POST] {
            let answer = send(&app, method, &format!("/unsubscribe/{token}"), "").await;
            assert_eq!(answer.status(), 404, "{token}");
        }
    }
    assert_eq!(app.database.head().await, head);
}

/// A mail program may choose between two forms (RFC 8058, section 3.2), and accepts whatever it likes: it reads the status.
#[tokio::test]
async fn what_stops_mails_is_a_form_of_either_kind_and_nothing_else() {
    let mut server = MailServer::start().await;
    let app = app(&server).await;
    let user = app.user().await;
    tell_unsold(&app, &user).await;
    let page = page_of(&mail_about(&mut server, "not sold").await);
    let post = async |path: &str, media_type: &str, body: &str| {
        let client = app.client.with("accept", "video/mp4");
        let request = client.command(Method::POST, path);
        let request = request.header("content-type", media_type);
        let answer = Answer::of(request.body(body.to_owned()).send().await.unwrap());
        answer.await
    };
    let form = "application/x-www-form-urlencoded";
    for (media_type, body) in [
        ("application/json", "{}"),
        ("text/plain", ONE_CLICK),
        ("", ONE_CLICK),
    ] {
        let refused = post(&page, media_type, body).await;
        refused.problem(415, "unsupported_media_type");
    }
    let with_more = format!("{page}?utm_source=mail");
    post(&with_more, form, ONE_CLICK)
        .await
        .problem(422, "invalid");
    let look = app.client.with("accept", "video/mp4");
    let look = look.command(Method::GET, &page).send().await.unwrap();
    assert_eq!(look.status(), 406, "a person looks at a page");
    assert_eq!(unsubscribed(&app).await, [Value::Null; 0]);

    let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    let stopped = post(&page, "multipart/form-data; boundary=b", parts).await;
    assert_eq!(stopped.status, 200);
    assert_eq!(unsubscribed(&app).await[0]["via"], "one_click");
}

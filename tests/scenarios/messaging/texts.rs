//! Texts go to a provider, and what becomes of each is in the log.

use serde_json::{Value, json};
use tidemark_tests::{App, KeptPort, User, eventually};

use super::provider::{CALLBACK_URL, Provider, SENDER};
use super::suppressions::await_events;

/// Waits until the reactors that tell people something have begun to answer what happens.
pub(crate) async fn ready(app: App) -> App {
    eventually("the reactors to begin", || async {
        let sql =
            "select count(*) from reactors where name in ('texter', 'mailer', 'auction-notifier')";
        let begun: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (begun == 3).then_some(())
    })
    .await;
    app
}

pub(super) async fn started(provider: &Provider) -> App {
    ready(provider.application().start().await).await
}

/// States a number, and waits until the sending of the text has ended. Returns its end.
pub(super) async fn sent_to(app: &App, user: &User, number: &str) -> Value {
    let before = app.events("message.ended").await.len();
    app.state_phone(user, number).await.ok();
    let mut ended = await_events(app, "message.ended", before + 1).await;
    ended.pop().unwrap()
}

/// The attempts at a text, and what was told of the last one, once there was one.
async fn tried(app: &App) -> (i32, String) {
    eventually("an attempt to send the text", || async {
        let sql = "select attempts, outcome from reactor_actions where effect = 'text' and outcome is not null";
        sqlx::query_as(sql)
            .fetch_optional(&app.database.pool)
            .await
            .unwrap()
    })
    .await
}

#[tokio::test]
async fn a_code_goes_to_the_provider_and_verifies_the_number() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    let end = sent_to(&app, &user, "+4915100000001").await;
    assert_eq!(
        (&end["outcome"], &end["status"]),
        (&json!("accepted"), &json!("201"))
    );
    let received = provider.requests(1).await;
    let [form] = &received[..] else {
        panic!("one text: {received:?}")
    };
    assert_eq!(form["To"], "+4915100000001");
    assert_eq!(form["From"], SENDER);
    let id = end["message_id"].as_str().unwrap();
    let callback = format!("{CALLBACK_URL}/texts/{id}/status");
    assert_eq!(form["StatusCallback"], callback);
    let validity_s: u32 = form["ValidityPeriod"].parse().unwrap();
    assert!((500..=600).contains(&validity_s), "{validity_s}");
    app.send_code(&user, &form["Body"][..6]).await.ok();
    // Afterwards nothing opens the code that the log holds.
    eventually("the key of the code to be destroyed", || async {
        app.phone_code(&user).await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_wants_to_is_told_by_a_text_whose_title_is_shortened() {
    let provider = Provider::start().await;
    let app = provider.application().set("TIDEMARK_SMS__SEGMENTS_MAX", 1);
    let app = ready(app.start().await).await;
    let (market, user) = (app.market().await, app.user().await);
    app.state_phone(&user, "+4915100000001").await.ok();
    let code = &provider.requests(1).await[0]["Body"][..6];
    app.send_code(&user, code).await.ok();
    app.choose_texts(&user, "won").await.ok();
    market.notification(user.id).await;
    let received = provider.requests(2).await;
    let body = &received[1]["Body"];
    assert_eq!(
        body,
        "You have won: \"Ship's chronometer\". The price is 10.00 EUR."
    );
    let spent = app.events("text_budget.spent").await;
    assert_eq!(spent.len(), 2);
    // Whoever is sent as many texts as may be is told by the other channels.
    market.notification(user.id).await;
    market.notification(user.id).await;
    let unsent = await_events(&app, "message.suppressed", 1).await;
    assert_eq!(unsent[0]["channel"], "sms");
    assert_eq!(unsent[0]["reason"], "too_many");
    assert_eq!(app.events("notification.raised").await.len(), 3);
}

#[tokio::test]
async fn texts_say_what_was_published_last_and_are_counted_by_it() {
    let provider = Provider::start().await;
    let app = provider.application().set("TIDEMARK_SMS__SEGMENTS_MAX", 1);
    let app = ready(app.start().await).await;
    let (market, user) = (app.market().await, app.user().await);
    let operator = app.user_with("operator").await;
    app.state_phone(&user, "+4915100000001").await.ok();
    let code = &provider.requests(1).await[0]["Body"][..6];
    app.send_code(&user, code).await.ok();
    app.choose_texts(&user, "won").await.ok();
    let templates = "/v1/templates";
    let words =
        |body: &str| json!({"channel": "sms", "locale": "en", "category": "won", "body": body});
    let body = "Yours{% if amount %} for {{ amount }}{% endif %}: {{ title }}";
    let published = operator.post(templates, &words(body)).await.ok();
    market.notification(user.id).await;
    let received = provider.requests(2).await;
    assert_eq!(
        received[1]["Body"],
        "Yours for 10.00 EUR: Ship's chronometer"
    );
    let requested = app.events("message.requested").await;
    let text = requested.iter().rfind(|it| it["channel"] == "sms").unwrap();
    let expected = json!({"template_id": published.id(), "version": 1});
    assert_eq!(text["wording"], expected);
    let retire = format!("{templates}/{}/retire", published.id());
    operator.post_empty(&retire).await.ok();
    market.notification(user.id).await;
    let received = provider.requests(3).await;
    assert!(
        received[2]["Body"].starts_with("You have won: "),
        "{received:?}"
    );

    let mut with_subject = words("a");
    with_subject["subject"] = json!("a");
    let mut welcome = words("a");
    welcome["category"] = json!("welcome");
    for (refused, pointer) in [
        (words("Hello {{ name }}"), "/body"),
        (words(&"a".repeat(161)), "/body"),
        (with_subject, "/subject"),
        (welcome, "/category"),
    ] {
        let answer = operator.post(templates, &refused).await;
        answer.problem(422, "template_faulty");
        assert_eq!(answer.pointers(), [pointer]);
    }
}

#[tokio::test]
async fn a_provider_that_takes_no_texts_now_is_asked_again() {
    for (number, told) in [
        ("+4915100000429", "429 20429"),
        ("+4915100000500", "500"),
        ("+4915100000401", "401 20003"),
    ] {
        let provider = Provider::start().await;
        let app = started(&provider).await;
        let user = app.user().await;
        app.state_phone(&user, number).await.ok();
        assert_eq!(tried(&app).await, (1, told.to_owned()));
        sqlx::query("update reactor_actions set next_attempt_at = now() where effect = 'text'")
            .execute(&app.database.pool)
            .await
            .unwrap();
        assert_eq!(provider.requests(2).await.len(), 2);
        assert_eq!(app.events("message.ended").await.len(), 0);
        assert_eq!(app.events("contact_point.suppressed").await.len(), 0);
    }
}

#[tokio::test]
async fn a_text_that_no_provider_was_sent_waits() {
    let nobody = KeptPort::any();
    let url = format!("http://{}", nobody.address());
    let provider = Provider::start().await;
    let app = provider
        .application()
        .set("TIDEMARK_SMS__PROVIDER_URL", url);
    let app = ready(app.start().await).await;
    let user = app.user().await;
    app.state_phone(&user, "+4915100000001").await.ok();
    let (attempts, _) = tried(&app).await;
    assert_eq!(attempts, 1);
    assert_eq!(app.events("message.ended").await.len(), 0);
}

#[tokio::test]
async fn it_is_uncertain_whether_a_silent_provider_has_the_text_and_it_is_not_sent_again() {
    let provider = Provider::start().await;
    let app = started(&provider).await;
    let user = app.user().await;
    let end = sent_to(&app, &user, "+4915100000999").await;
    assert_eq!(end["outcome"], "uncertain");
    assert_eq!(provider.received().len(), 1);
}

//! Users state a telephone number, and prove by a code that it is theirs.

use serde_json::{Value, json};
use tidemark_tests::{App, User, eventually};

const NUMBER: &str = "+4915112345678";
const OTHER_NUMBER: &str = "+4915187654321";

/// A code that is not this one.
fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// What the user sees of their telephone.
async fn phone(app: &App, user: &User) -> (Value, Value) {
    app.settle().await;
    let profile = user.get("/v1/me").await.ok().body;
    let awaited = profile["awaited_phone"]["number"].clone();
    (profile["phone"].clone(), awaited)
}

#[tokio::test]
async fn a_number_is_the_users_once_the_code_is_sent_and_nobody_else_sees_it() {
    let app = App::start_all().await;
    let user = app.user().await;
    assert_eq!(phone(&app, &user).await, (json!(null), json!(null)));
    app.state_phone(&user, NUMBER).await.ok();
    assert_eq!(phone(&app, &user).await, (json!(null), json!(NUMBER)));
    let code = app.phone_code(&user).await.unwrap();
    let refused = app.send_code(&user, wrong(&code)).await;
    refused.problem(409, "wrong_phone_code");
    // It is on record.
    assert_eq!(refused.position(), app.database.head().await);
    let verified = app.send_code(&user, &code).await.ok();
    let version = verified.version();
    assert_eq!(verified.header("etag"), format!("\"{version}\""));
    assert_eq!(phone(&app, &user).await, (json!(NUMBER), json!(null)));
    let again = app.send_code(&user, &code).await;
    again.problem(409, "phone_code_over");
    let again = app.state_phone(&user, NUMBER).await;
    again.problem(409, "phone_verified");

    // Until another one is verified, the number stays.
    app.state_phone(&user, OTHER_NUMBER).await.ok();
    let both = (json!(NUMBER), json!(OTHER_NUMBER));
    assert_eq!(phone(&app, &user).await, both);
    let code = app.phone_code(&user).await.unwrap();
    app.send_code(&user, &code).await.ok();
    assert_eq!(phone(&app, &user).await, (json!(OTHER_NUMBER), json!(null)));

    let path = format!("/v1/users/{}/phone", user.id);
    user.delete(&path).await.ok();
    assert_eq!(phone(&app, &user).await, (json!(null), json!(null)));
    user.delete(&path).await.problem(404, "phone_not_found");

    let sql = "select data::text || metadata::text from events
                union all
               select coalesce(body::text, '') from reactor_actions
                union all
               select doc::text from profile_rows
                union all
               select key from claims";
    let kept: Vec<String> = sqlx::query_scalar(sql)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
    let is_clear = |it: &&String| {
        it.contains(&NUMBER[1..]) || it.contains(&OTHER_NUMBER[1..]) || it.contains(&*code)
    };
    assert_eq!(kept.iter().find(is_clear), None, "{NUMBER}, {code}");
}

#[tokio::test]
async fn only_so_many_codes_can_be_tried() {
    let app = App::builder()
        .set("TIDEMARK_SMS__CODE_ATTEMPTS_MAX", 2)
        .start()
        .await;
    let user = app.user().await;
    app.state_phone(&user, NUMBER).await.ok();
    let code = app.phone_code(&user).await.unwrap();
    for _ in 0..2 {
        let refused = app.send_code(&user, wrong(&code)).await;
        refused.problem(409, "wrong_phone_code");
    }
    let over = app.send_code(&user, &code).await;
    over.problem(409, "phone_code_over");
    assert_eq!(app.events("user.phone_code_refused").await.len(), 2);
    assert_eq!(app.events("user.phone_verified").await.len(), 0);
}

#[tokio::test]
async fn a_user_is_sent_only_so_many_codes_and_all_users_together_are() {
    let app = App::builder()
        .set("TIDEMARK_SMS__CODE_SEGMENTS_PER_DAY_MAX", 4)
        .start()
        .await;
    let (user, other) = (app.user().await, app.user().await);
    for _ in 0..2 {
        app.state_phone(&user, NUMBER).await.ok();
    }
    // Another one to this number would leave others too few.
    let refused = app.state_phone(&user, NUMBER).await;
    refused.problem(409, "too_many_texts");
    app.state_phone(&user, OTHER_NUMBER).await.ok();
    let refused = app.state_phone(&user, "+4915100000003").await;
    refused.problem(409, "too_many_texts");
    app.state_phone(&other, OTHER_NUMBER).await.ok();
    let refused = app.state_phone(&other, OTHER_NUMBER).await;
    refused.problem(409, "texts_spent");
    assert_eq!(app.events("message.requested").await.len(), 4);
}

/// Whoever states numbers spends nothing of what others are told by.
#[tokio::test]
async fn codes_that_are_spent_keep_nobody_from_being_told_by_a_text() {
    let app = App::builder()
        .set("TIDEMARK_SMS__CODE_SEGMENTS_PER_DAY_MAX", 1)
        .set("TIDEMARK_SMS__SEGMENTS_PER_DAY_MAX", 1)
        .start()
        .await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    app.state_phone(&user, NUMBER).await.ok();
    let code = app.phone_code(&user).await.unwrap();
    app.send_code(&user, &code).await.ok();
    app.choose_texts(&user, "won").await.ok();
    let refused = app.state_phone(&other, OTHER_NUMBER).await;
    refused.problem(409, "texts_spent");
    market.notification(user.id).await;
    let requested = app.events("message.requested").await;
    let texts = requested.iter().filter(|it| it["channel"] == "sms");
    // The code, and what the user is told.
    assert_eq!(texts.count(), 2);
}

/// Many ask at once for the last segments of a day, through two processes.
#[tokio::test]
async fn the_budget_of_a_day_is_never_exceeded() {
    let app = App::builder()
        .set("TIDEMARK_SMS__CODE_SEGMENTS_PER_DAY_MAX", 5)
        .start()
        .await;
    let roles = tidemark_command_api::ProcessRoles {
        api: true,
        relay: false,
    };
    let other = app.another_command_api(roles).await;
    let mut users = Vec::new();
    for _ in 0..12 {
        users.push(app.user().await);
    }
    let asking = users.iter().enumerate().map(async |(number, user)| {
        let client = if number % 2 == 0 {
            user.via_command_api(&other.url)
        } else {
            user.via_command_api(app.command_url())
        };
        let path = format!("/v1/users/{}/phone", user.id);
        let body = json!({"number": format!("+49151000000{number:02}")});
        client.post(&path, &body).await
    });
    let answers = futures::future::join_all(asking).await;
    let accepted = answers.iter().filter(|it| it.is_ok()).count();
    assert_eq!(accepted, 5);
    for refused in answers.iter().filter(|it| !it.is_ok()) {
        refused.problem(409, "texts_spent");
    }
    assert_eq!(app.events("text_budget.spent").await.len(), 5);
}

#[tokio::test]
async fn no_texts_are_sent_to_countries_that_the_deployment_does_not_serve() {
    for (prefixes, is_served) in [("+43,+49", true), ("+43", false), ("", false)] {
        let app = App::builder()
            .set("TIDEMARK_SMS__ALLOWED_PREFIXES", prefixes)
            .start()
            .await;
        let user = app.user().await;
        let answer = app.state_phone(&user, NUMBER).await;
        assert_eq!(answer.is_ok(), is_served, "{prefixes}");
        if !is_served {
            answer.problem(409, "phone_not_served");
        }
    }
}

#[tokio::test]
async fn texts_are_chosen_only_by_who_has_a_number_that_is_verified() {
    let app = App::start_all().await;
    let user = app.user().await;
    let refused = app.choose_texts(&user, "outbid").await;
    refused.problem(409, "phone_unverified");
    app.state_phone(&user, NUMBER).await.ok();
    let refused = app.choose_texts(&user, "outbid").await;
    refused.problem(409, "phone_unverified");
    let code = app.phone_code(&user).await.unwrap();
    app.send_code(&user, &code).await.ok();
    app.choose_texts(&user, "outbid").await.ok();
    // Of a contract everybody is told, and by a text whoever wants that.
    app.choose_texts(&user, "won").await.ok();
    app.settle().await;
    let preferences = user.get("/v1/me/preferences").await.ok().body;
    for category in preferences["categories"].as_array().unwrap() {
        let is_chosen = matches!(category["category"].as_str(), Some("outbid" | "won"));
        assert_eq!(category["sms"], is_chosen, "{category}");
    }
}

/// Whoever has the log and all keys of today does not find the code any more.
#[tokio::test]
async fn the_key_of_a_code_is_destroyed_when_its_sending_has_ended() {
    let app = App::start().await;
    let user = app.user().await;
    app.state_phone(&user, NUMBER).await.ok();
    let code = app.phone_code(&user).await.unwrap();
    let text = app.events("message.requested").await[0]["message_id"].clone();
    let path = format!("/v1/messages/{}/end", text.as_str().unwrap());
    let texter = app.reactor("texter");
    let end = json!({"outcome": "accepted", "status": "201"});
    texter.post(&path, &end).await.ok();
    assert_eq!(app.phone_code(&user).await, None);
    let again = texter.post(&path, &end).await;
    again.problem(409, "message_over");
    // The code still proves whose the number is: it is compared by its keyed hash.
    app.send_code(&user, &code).await.ok();
}

#[tokio::test]
async fn without_a_provider_texts_are_files_in_the_folder_of_mails() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::builder().set("TIDEMARK_MAIL__FOLDER", folder.path().display());
    let app = super::texts::ready(app.projector().start().await).await;
    let user = app.user().await;
    app.state_phone(&user, NUMBER).await.ok();
    let text = eventually("the text", || async {
        let mut files = std::fs::read_dir(folder.path()).ok()?;
        let file = files.find_map(|file| {
            let path = file.unwrap().path();
            (path.extension()? == "txt").then_some(path)
        })?;
        std::fs::read_to_string(file).ok()
    })
    .await;
    assert!(text.starts_with(&format!("To: {NUMBER}\n")), "{text}");
    let code = text.lines().nth(2).unwrap()[..6].to_owned();
    app.send_code(&user, &code).await.ok();
}

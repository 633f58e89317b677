//! Owners are told of tasks that pause themselves.

use serde_json::{Value, json};
use tidemark_tests::{App, Client, MailServer, eventually};

use super::receiver::{Receiver, define, ready, run};

/// The notifications of paused tasks.
async fn told(user: &Client) -> Vec<Value> {
    let page = user.get("/v1/me/notifications").await.ok().body;
    let items = page["items"].as_array().unwrap().clone().into_iter();
    items.filter(|it| it["category"] == "task_paused").collect()
}

#[tokio::test]
async fn an_owner_is_told_in_the_inbox_and_by_mail_that_a_task_paused_itself() {
    let mut mails = MailServer::start().await;
    let app = App::builder()
        .relay()
        .projector()
        .queries()
        .set("TIDEMARK_TASKS__ALLOWED_PRIVATE_HOSTS", "127.0.0.1")
        .set("TIDEMARK_MAIL__SMTP_HOST", "127.0.0.1")
        .set("TIDEMARK_MAIL__SMTP_PORT", mails.port)
        .set("TIDEMARK_MAIL__TLS", "none")
        .set("TIDEMARK_MAIL__FROM", "no-reply@tidemark.example")
        .start()
        .await;
    ready(&app).await;
    eventually("the reactors of mails to begin", || async {
        let sql = "select count(*) from reactors where name in ('task-notifier', 'mailer')";
        let begun: i64 = sqlx::query_scalar(sql)
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
        (begun == 2).then_some(())
    })
    .await;
    let server = Receiver::start().await;
    let user = app.user().await;
    let task = define(&user, &server.url("gone"), json!({})).await;
    run(&user, task).await;
    let found = eventually("a notification", || async { told(&user).await.pop() }).await;
    assert_eq!(found["status"], "unread");
    let about = &found["about"];
    assert_eq!(about["kind"], "task");
    assert_eq!(about["task_id"], json!(task));
    assert_eq!(about["title"], "Fetch prices");
    assert_eq!(about["paused_for"], "gone");
    let mail = loop {
        // Those who registered are greeted, too.
        let mail = mails.received().await;
        if mail.content.contains("task was paused") {
            break mail;
        }
    };
    assert!(mail.content.contains("410"), "{}", mail.content);

    // Who does it, or wants not to know, is not told.
    let path = format!("/v1/tasks/{task}");
    user.post_empty(&format!("{path}/resume")).await.ok();
    user.post_empty(&format!("{path}/pause")).await.ok();
    app.settle().await;
    assert_eq!(told(&user).await.len(), 1);
    let no_more = json!({"category": "task_paused", "inbox": false, "mail": false});
    let preferences = format!("/v1/users/{}/preferences", user.id);
    user.post(&preferences, &no_more).await.ok();
    user.post_empty(&format!("{path}/resume")).await.ok();
    run(&user, task).await;
    app.settle().await;
    assert_eq!(told(&user).await.len(), 1);
}

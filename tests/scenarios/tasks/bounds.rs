//! How many tasks one owner may have.

use serde_json::json;

use super::receiver::define;

/// A schedule that is due each second.
const EACH_SECOND: &str = "* * * * * *";

#[tokio::test]
async fn an_owner_has_a_bounded_number_of_tasks_that_are_due_each_second() {
    let app = tidemark_tests::App::builder()
        .set("TIDEMARK_TASKS__FREQUENT_PER_USER_MAX", 1)
        .start()
        .await;
    let user = app.user().await;
    let each_second = json!({"cron": EACH_SECOND, "zone": "UTC"});
    let first = define(&user, "https://hooks.example/a", each_second.clone()).await;
    let each_minute = json!({"cron": "* * * * *", "zone": "UTC"});
    let second = define(&user, "https://hooks.example/b", each_minute).await;
    let change = format!("/v1/tasks/{second}/change");
    user.post(&change, &each_second)
        .await
        .problem(409, "too_many_frequent_tasks");
    user.post_empty(&format!("/v1/tasks/{first}/pause"))
        .await
        .ok();
    user.post(&change, &each_second).await.ok();
    let resume = format!("/v1/tasks/{first}/resume");
    user.post_empty(&resume)
        .await
        .problem(409, "too_many_frequent_tasks");
    user.post_empty(&format!("/v1/tasks/{second}/retire"))
        .await
        .ok();
    user.post_empty(&resume).await.ok();
    let third = json!({"name": "Third", "url": "https://hooks.example/c", "cron": EACH_SECOND, "zone": "UTC"});
    user.post("/v1/tasks", &third)
        .await
        .problem(409, "too_many_frequent_tasks");
}

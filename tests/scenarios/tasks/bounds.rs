//! How many tasks one owner may have, and how many schedules are read for one at a time.

use std::cell::Cell;

use futures::future::join_all;
use serde_json::json;
use tidemark_tests::{App, eventually};

use super::receiver::define;

/// A schedule that is due each second.
const EACH_SECOND: &str = "* * * * * *";

#[tokio::test]
async fn an_owner_has_a_bounded_number_of_tasks_that_are_due_each_second() {
    let app = App::builder()
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

#[tokio::test]
async fn an_owner_who_has_many_schedules_read_at_once_leaves_room_for_another() {
    let app = App::builder()
        .set("TIDEMARK_TASKS__SCHEDULES_PER_USER_MAX", 1)
        .start()
        .await;
    let (greedy, modest) = (app.user().await, app.user().await);
    // There is no such day, which takes long to find.
    let never = json!({"name": "Never", "url": "https://hooks.example/n", "cron": "0 0 30 2 *", "zone": "UTC"});
    let (over, refused) = (Cell::new(false), Cell::new(0));
    let flood = async {
        while !over.get() {
            let sent = (0..4).map(|_| greedy.post("/v1/tasks", &never));
            for answer in join_all(sent).await {
                if answer.code() == "never_due" {
                    continue;
                }
                answer.problem(429, "too_many_requests");
                let words = "At most 1 such requests of one user";
                assert!(answer.detail().starts_with(words), "{answer:?}");
                refused.set(refused.get() + 1);
            }
        }
    };
    let others = async {
        eventually("the flood to meet its bound", || async {
            (refused.get() > 0).then_some(())
        })
        .await;
        for number in 0..3 {
            let url = format!("https://hooks.example/{number}");
            let due = json!({"cron": "0 7 * * *", "zone": "UTC"});
            define(&modest, &url, due).await;
        }
        over.set(true);
    };
    tokio::join!(flood, others);
    let due = json!({"cron": "0 7 * * *", "zone": "UTC"});
    define(&greedy, "https://hooks.example/due", due).await;
}

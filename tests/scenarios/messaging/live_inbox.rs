//! Users see their inbox change while they look at it, on every device that is logged in, and nobody else does.

use serde_json::{Value, json};
use tidemark_tests::{App, User};

use crate::market::live_updates::Watcher;

const INBOX: &str = "/v1/me/inbox/live";

/// The number of unread notifications and of changes that the next update shows, and its id.
async fn next(watcher: &mut Watcher) -> (Value, Value, String) {
    let update = watcher.next().await;
    let inbox = &update.document;
    (inbox["unread"].clone(), inbox["version"].clone(), update.id)
}

/// The notifications of the user as of this update.
async fn listed(user: &User, id: &str) -> Vec<Value> {
    let page = user.with_tidemark(id).get("/v1/me/notifications").await;
    page.ok().body["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_inbox_is_sent_whenever_something_comes_or_is_read_or_archived() {
    let app = App::start_all().await;
    let (market, user, other) = (app.market().await, app.user().await, app.user().await);
    app.settle().await;
    let elsewhere = app.another_query_api().await;
    let mut watchers = [
        Watcher::open_at(&user, INBOX).await,
        Watcher::open_at(&user.via_query_api(&elsewhere.url), INBOX).await,
    ];
    let mut others = Watcher::open_at(&other, INBOX).await;
    assert_eq!(next(&mut others).await.0, json!(0));
    for watcher in &mut watchers {
        assert_eq!(next(watcher).await.0, json!(0));
    }
    let notification = market.notification(user.id).await;
    let mut raised = String::new();
    for watcher in &mut watchers {
        let (unread, version, id) = next(watcher).await;
        assert_eq!((unread, version), (json!(1), json!(2)));
        raised = id;
    }
    assert_eq!(listed(&user, &raised).await.len(), 1);
    for (action, unread) in [("read", 0), ("archive", 0)] {
        let path = format!("/v1/notifications/{notification}/{action}");
        user.post_empty(&path).await.ok();
        for watcher in &mut watchers {
            assert_eq!(next(watcher).await.0, json!(unread), "{action}");
        }
    }

    // Whoever comes back is sent what is newer than what they have.
    let resuming = user.with("last-event-id", &raised);
    let (_, version, archived) = next(&mut Watcher::open_at(&resuming, INBOX).await).await;
    assert_eq!(version, json!(4));
    assert_eq!(listed(&user, &archived).await.len(), 0);

    // The first that others are sent is about what is theirs.
    market.notification(other.id).await;
    let (unread, version, _) = next(&mut others).await;
    assert_eq!((unread, version), (json!(1), json!(2)));
}

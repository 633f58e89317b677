//! Connections that Postgres ends while they are lent to nobody, as an operator or a crash of one backend does, cost
//! no request: what reads is asked again on another one, and an append finds out that it did not happen.

use futures::future::join_all;
use serde_json::json;
use tidemark_command_api::ProcessRoles;
use tidemark_tests::{App, eventually};

/// As many requests at once, so that several connections are open when they are ended.
const AT_ONCE: usize = 6;

/// Ends the connections of this role to the database, and waits until they are gone. Returns how many there were.
async fn cut(app: &App, role: &str) -> i64 {
    let ended = sqlx::query_scalar(
        "select count(*) filter (where pg_terminate_backend(pid, 10000))
           from pg_stat_activity
          where datname = current_database()
            and usename = $1",
    );
    let ended = ended.bind(role).fetch_one(&app.database.pool);
    ended.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_is_refused_because_idle_connections_were_cut() {
    let app = App::start().await;
    app.admin().await;
    let roles = ProcessRoles {
        api: true,
        relay: false,
    };
    // It knows no stream, so that each of its commands loads some.
    let other = app.another_command_api(roles).await;
    let admin = app.admin().await.via_command_api(&other.url);
    let mut ended = 0;
    for _ in 0..5 {
        let users = join_all((0..AT_ONCE).map(|_| app.user())).await;
        ended += cut(&app, "tidemark_append").await;
        let grants = users.iter().map(|user| {
            let (admin, path) = (&admin, format!("/v1/users/{}/roles", user.id));
            async move { admin.post(&path, &json!({"role": "auditor"})).await.ok() }
        });
        join_all(grants).await;
    }
    assert!(ended > 5 * 2, "{ended} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_is_refused_because_idle_connections_were_cut() {
    let app = App::builder().projector().queries().start().await;
    let user = app.user().await;
    app.settle().await;
    let mut ended = 0;
    for _ in 0..5 {
        join_all((0..AT_ONCE).map(|_| async { user.get("/v1/me").await.ok() })).await;
        ended += cut(&app, "tidemark_read").await;
    }
    assert!(ended > 5, "{ended} connections");
}

/// The connections for documents and for lists.
const CONNECTIONS: i64 = 6 + 4;

/// Has all connections of both pools opened: none of these queries can end before all of them have begun.
async fn open_all(app: &App, document: &str) {
    let mut lock = app.database.pool.begin().await.unwrap();
    let locked = sqlx::query("lock table category_rows in access exclusive mode");
    locked.execute(&mut *lock).await.unwrap();
    let paths = [document, "/v1/categories"].into_iter().cycle();
    let reading = paths.take(2 * AT_ONCE).map(|path| app.client.get(path));
    let unlocking = async {
        eventually("all connections to be used", || async {
            let waiting: i64 = sqlx::query_scalar(
                "select count(distinct pid)
                   from pg_locks
                  where relation = 'category_rows'::regclass
                    and not granted",
            )
            .fetch_one(&app.database.pool)
            .await
            .unwrap();
            (waiting == CONNECTIONS).then_some(())
        })
        .await;
        lock.rollback().await.unwrap();
    };
    let (read, ()) = tokio::join!(join_all(reading), unlocking);
    for answer in read {
        answer.ok();
    }
}

/// A pool may have more connections than that of readiness, and all of them may have been cut.
#[tokio::test(flavor = "multi_thread")]
async fn no_query_is_refused_because_all_connections_of_its_pool_were_cut() {
    let app = App::builder()
        .set("TIDEMARK_QUERY__PROMPT_CONNECTIONS", 1)
        .set("TIDEMARK_QUERY__DOCUMENT_CONNECTIONS", 6)
        .set("TIDEMARK_QUERY__LIST_CONNECTIONS", 4)
        .set("TIDEMARK_DATABASE__LOCK_TIMEOUT_MS", 4_500)
        .projector()
        .queries();
    let app = app.start().await;
    let category = app.category(None).await;
    app.settle().await;
    let document = format!("/v1/categories/{category}");
    for path in [&*document, "/v1/categories"] {
        open_all(&app, &document).await;
        assert!(cut(&app, "tidemark_read").await >= CONNECTIONS);
        app.client.get(path).await.ok();
    }
}

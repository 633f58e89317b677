//! Live updates of what is one user's own: they end with the session, and each user has only so many.

use std::time::Duration;

use tidemark_events::UserId;
use tidemark_events::samples;
use tidemark_read_models::Shard;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::messaging::inbox::{Inbox, Row};
use tokio::time::timeout;
use uuid::Uuid;

use super::harness::{Api, Database, Stream, auction, field};

const PATH: &str = "/me/inbox/live";
const USER: u128 = 7;
/// Longer than it takes until what is parked is seen.
const DEADLINE: Duration = Duration::from_secs(20);
/// The session of every access token of [`Api::authorization`].
const SESSION: Uuid = Uuid::from_u128(1);

/// Writes the inbox of a user, changed at this position.
async fn write_inbox(database: &Database, user: u128, unread: i64, position: i64) {
    let id = Uuid::from_u128(user);
    let row = Row {
        id: UserId(id),
        unread,
        version: position,
    };
    database.write::<Inbox>(id, position, &row).await;
}

async fn database(test: &str) -> Database {
    let database = Database::new(test).await;
    database.set_head(99).await;
    write_inbox(&database, USER, 0, 3).await;
    database.set_checkpoints(5).await;
    database
}

async fn open(api: &Api, user: u128) -> Stream {
    let authorization = api.authorization(user, "buyer");
    Stream::open(api, PATH, &[("authorization", &authorization)]).await
}

/// The event that ends a stream, which comes after no update.
async fn end(stream: &mut Stream) -> String {
    loop {
        let event = stream.event().await.unwrap();
        assert_ne!(field(&event, "event: "), "state", "{event}");
        if field(&event, "event: ") == "end" {
            assert_eq!(stream.event().await, None);
            return field(&event, "data: ").to_owned();
        }
    }
}

#[tokio::test]
async fn users_are_sent_their_own_inbox_whenever_it_changes() {
    let database = database("live_inbox").await;
    write_inbox(&database, USER + 1, 9, 4).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_REFRESH_S", "3600")]).await;
    let mut stream = open(&api, USER).await;
    let mut other = open(&api, USER + 1).await;
    let (id, inbox) = stream.state().await.unwrap();
    assert_eq!((&*id, inbox["unread"].as_i64()), ("1.3", Some(0)));
    let (_, inbox) = other.state().await.unwrap();
    assert_eq!(inbox["unread"].as_i64(), Some(9));
    for (unread, position) in [(1, 6), (2, 8)] {
        write_inbox(&database, USER, unread, position).await;
        let (id, inbox) = stream.state().await.unwrap();
        assert_eq!(id, format!("1.{position}"));
        assert_eq!(inbox["unread"].as_i64(), Some(unread));
    }
    // What was sent to one user is not sent to another.
    write_inbox(&database, USER + 1, 10, 9).await;
    let (_, inbox) = other.state().await.unwrap();
    assert_eq!(inbox["unread"].as_i64(), Some(10));

    let authorization = api.authorization(USER, "buyer");
    let resuming = [("authorization", &*authorization), ("last-event-id", "1.6")];
    let mut resumed = Stream::open(&api, PATH, &resuming).await;
    let (id, _) = resumed.state().await.unwrap();
    assert_eq!(id, "1.8");

    let anonymous = api.get(PATH, &[]).await;
    assert_eq!(anonymous.problem(), (401, "unauthenticated"));
    let unknown = api.authorization(USER + 2, "buyer");
    let unknown = api.get(PATH, &[("authorization", &unknown)]).await;
    assert_eq!(unknown.problem(), (404, "not_found"));
}

#[tokio::test]
async fn a_user_has_only_so_many_inboxes_open() {
    let database = database("live_inbox_bounds").await;
    write_inbox(&database, USER + 1, 0, 4).await;
    let api = Api::start(
        &database,
        &[("TIDEMARK_QUERY__SSE_CLIENTS_PER_USER_MAX", "2")],
    )
    .await;
    let first = open(&api, USER).await;
    let _second = open(&api, USER).await;
    let authorization = api.authorization(USER, "buyer");
    let refused = api.get(PATH, &[("authorization", &authorization)]).await;
    assert_eq!(refused.problem(), (429, "too_many_requests"));
    let words = "At most 2 live updates of one user";
    assert!(refused.detail().starts_with(words), "{refused:?}");
    let _other = open(&api, USER + 1).await;
    drop(first);
}

#[tokio::test]
async fn a_live_inbox_ends_soon_after_its_session() {
    let database = database("live_inbox_session").await;
    let often = ("TIDEMARK_QUERY__SSE_SESSION_CHECK_S", "1");
    let api = Api::start(&database, &[often]).await;
    let mut stream = open(&api, USER).await;
    assert!(stream.state().await.is_some());
    let mut in_session = samples::all().into_iter().filter_map(|event| {
        let event_type = event.encode().unwrap().event_type;
        event_type.starts_with("session.").then_some(event)
    });
    database
        .append(100, SESSION, &in_session.next().unwrap())
        .await;
    write_inbox(&database, USER, 1, 101).await;
    assert!(stream.state().await.is_some(), "the session goes on");
    let ended = in_session.next_back().unwrap();
    database.append(102, SESSION, &ended).await;
    assert_eq!(end(&mut stream).await, r#"{"code":"logged_out"}"#);
}

#[tokio::test]
async fn a_live_inbox_ends_with_its_access_token() {
    let database = database("live_inbox_token").await;
    let soon = ("TIDEMARK_AUTH__ACCESS_TOKEN_TTL_S", "4");
    let at_once = ("TIDEMARK_AUTH__LEEWAY_S", "0");
    let api = Api::start(&database, &[soon, at_once]).await;
    let mut stream = open(&api, USER).await;
    assert!(stream.state().await.is_some());
    assert_eq!(end(&mut stream).await, r#"{"code":"invalid_token"}"#);
}

/// Parks the event at position 4.
async fn park(database: &Database, id: Uuid, kind: &str) {
    let parked = format!(
        "insert into parked (read_model, generation, shard, id, kind, position, reason, tried_by)
         values ('inbox', 1, 0, '{id}', '{kind}', 4, '', '')"
    );
    database.execute(parked).await;
}

/// Waits until a stream that begins is said to lack this. Others follow the same inbox, which is not read anew for each who comes.
async fn begins_with_mark(api: &Api, expected: Option<&str>) {
    loop {
        let mut stream = open(api, USER).await;
        let mark = stream.headers().get("tidemark-parked").cloned();
        if mark.as_ref().map(|it| it.to_str().unwrap()) == expected {
            let (_, inbox) = stream.state().await.unwrap();
            assert_eq!(inbox["unread"].as_i64(), Some(0));
            return;
        }
    }
}

#[tokio::test]
async fn a_live_inbox_tells_whether_it_or_a_stream_that_may_be_about_it_is_parked() {
    let database = database("live_inbox_parked").await;
    let settings = [
        ("TIDEMARK_QUERY__SSE_REFRESH_S", "3600"),
        ("TIDEMARK_QUERY__SSE_CLIENTS_PER_USER_MAX", "1000"),
    ];
    let api = Api::start(&database, &settings).await;
    let mut first = open(&api, USER).await;
    assert!(first.state().await.is_some());
    begins_with_mark(&api, None).await;
    let stream = Shard::ONLY.id_of_stream(Uuid::from_u128(9 << 80));
    for (id, kind) in [(Uuid::from_u128(USER), "row"), (stream, "stream")] {
        park(&database, id, kind).await;
        timeout(DEADLINE, begins_with_mark(&api, Some("1.4")))
            .await
            .unwrap();
        database.execute("delete from parked").await;
        timeout(DEADLINE, begins_with_mark(&api, None))
            .await
            .unwrap();
    }
    // What is sent on to those who follow it is marked for who comes to it.
    park(&database, stream, "stream").await;
    write_inbox(&database, USER, 0, 6).await;
    assert_eq!(first.state().await.unwrap().0, "1.6");
    timeout(DEADLINE, begins_with_mark(&api, Some("1.4")))
        .await
        .unwrap();
}

/// What has changed is read with each look at the checkpoints, so a lock on the rows is met at once.
#[tokio::test]
async fn a_lock_on_the_inboxes_delays_neither_other_queries_nor_other_live_updates() {
    let database = database("live_locked").await;
    let id = Uuid::from_u128(1);
    database.write::<Auction>(id, 4, &auction(1)).await;
    database.set_checkpoints(5).await;
    let settings = [
        ("TIDEMARK_QUERY__SSE_REFRESH_S", "3600"),
        ("TIDEMARK_DATABASE__LOCK_TIMEOUT_MS", "60000"),
        ("TIDEMARK_DATABASE__STATEMENT_TIMEOUT_MS", "60000"),
        ("TIDEMARK_DATABASE__RESPONSE_TIMEOUT_MS", "70000"),
        ("TIDEMARK_EXECUTOR__APPEND_TIMEOUT_MS", "70000"),
    ];
    let api = Api::start(&database, &settings).await;
    let mut inboxes = open(&api, USER).await;
    inboxes.state().await.unwrap();
    let path = format!("/auctions/{id}");
    let mut auctions = Stream::open(&api, &format!("{path}/live"), &[]).await;
    auctions.state().await.unwrap();

    let mut locked = database.owner.begin().await.unwrap();
    let lock = "lock table inbox_rows in access exclusive mode";
    sqlx::raw_sql(lock).execute(&mut *locked).await.unwrap();
    let waiting = "select count(*) from pg_locks
                    where not granted and relation = 'inbox_rows'::regclass";
    let waiting = async || {
        let found = sqlx::query_scalar(waiting).fetch_one(&database.owner);
        let found: i64 = found.await.unwrap();
        found
    };
    while waiting().await == 0 {
        tokio::task::yield_now().await;
    }
    for position in [6, 8] {
        database.write::<Auction>(id, position, &auction(1)).await;
        let token = format!("1.{position}");
        let found = api.get(&path, &[("tidemark", &token)]).await;
        assert_eq!(found.status, 200, "{found:?}");
        let (sent, _) = auctions.state().await.unwrap();
        assert_eq!(sent, token);
    }
    locked.rollback().await.unwrap();
    write_inbox(&database, USER, 1, 9).await;
    let (sent, _) = inboxes.state().await.unwrap();
    assert_eq!(sent, "1.9");
}

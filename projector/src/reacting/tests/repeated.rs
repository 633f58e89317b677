//! Actions that are about the same.

use chrono::DateTime;
use tidemark_domain::{About, Done};

use super::*;
use crate::reacting::attempts;

/// A process manager that has one action wait about all auctions together.
const TELLER: ProcessManager = ProcessManager {
    name: "teller",
    event_types: &["auction.scheduled"],
    commands: &["tell"],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "tell".to_owned(),
            due_at: None,
            owner_id: None,
            about: Some(About {
                what: "auctions".to_owned(),
                done: Done::First { wait_s: 0 },
            }),
            what: What::command("/v1/tellings".to_owned()),
        }]
    },
};

#[tokio::test]
async fn one_action_about_the_same_waits_until_it_is_taken() {
    let database = Database::new("about_the_same").await;
    register(&database.pool, &[TELLER]).await.unwrap();
    let mut events = Vec::new();
    for position in 1..=4 {
        events.push(scheduled(&database, position, PAST, FUTURE).await);
    }
    let events = database.append_shared(events).await;
    let mut reactor = Reactor::new(database.pool.clone(), &TELLER, watch::Sender::default());
    reactor.start().await.unwrap();
    // Two at once, and one after them.
    reactor.apply(at(0), &page(&events[..2])).await.unwrap();
    reactor.apply(at(2), &page(&events[2..3])).await.unwrap();
    assert_eq!(untried(&database).await, [1]);

    take_one(&database).await;
    reactor.apply(at(3), &page(&events[3..])).await.unwrap();
    assert_eq!(
        untried(&database).await,
        [4],
        "the one before may have looked already"
    );
}

/// The positions of the actions that wait and that nobody has tried.
async fn untried(database: &Database) -> Vec<i64> {
    let sql = "select position from reactor_actions where attempts = 0 order by position";
    let positions = sqlx::query_scalar(sql).fetch_all(&database.owner).await;
    positions.unwrap()
}

/// Takes what waits, which is one action.
async fn take_one(database: &Database) -> Attempt {
    let taken = take(&database.pool, Duration::from_mins(1)).await;
    let [attempt] = &taken[..] else {
        panic!("one action waits");
    };
    attempt.clone()
}

/// A process manager whose newest action about all auctions together is the one that counts.
const PLANNER: ProcessManager = ProcessManager {
    name: "planner",
    event_types: &["auction.scheduled"],
    commands: &["plan"],
    fulfilled: &[],
    final_refusals: &[],
    react: |event| {
        let Event::Auction(auction::Event::Scheduled { starts_at, .. }) = event else {
            return Vec::new();
        };
        vec![Action {
            name: "plan".to_owned(),
            due_at: Some(**starts_at),
            owner_id: None,
            about: Some(About {
                what: "auctions".to_owned(),
                done: Done::Newest,
            }),
            what: What::command("/v1/plans".to_owned()),
        }]
    },
};

#[tokio::test]
async fn the_newest_action_takes_the_place_of_those_about_the_same_that_wait() {
    let database = Database::new("about_the_newest").await;
    register(&database.pool, &[PLANNER]).await.unwrap();
    let mut events = Vec::new();
    for (position, start) in (1..).zip([FUTURE, FUTURE, PAST, FUTURE, PAST]) {
        events.push(scheduled(&database, position, start, FUTURE).await);
    }
    let events = database.append_shared(events).await;
    let mut reactor = Reactor::new(database.pool.clone(), &PLANNER, watch::Sender::default());
    reactor.start().await.unwrap();
    reactor.apply(at(0), &page(&events[..2])).await.unwrap();
    assert_eq!(untried(&database).await, [2]);
    reactor.apply(at(2), &page(&events[2..3])).await.unwrap();
    assert_eq!(untried(&database).await, [3]);

    // It is under way, and then it is put off.
    let attempt = take_one(&database).await;
    assert_eq!(attempt.position, 3, "it is due when the newest one says");
    reactor.apply(at(3), &page(&events[3..4])).await.unwrap();
    assert_eq!(untried(&database).await, [4]);
    let pool = &database.pool;
    let putting_off = attempts::put_off(pool, &attempt, DateTime::UNIX_EPOCH, PAUSE, "later");
    putting_off.await.unwrap();
    reactor.apply(at(4), &page(&events[4..5])).await.unwrap();
    assert_eq!(untried(&database).await, [5]);
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from reactor_actions where done_at is null")
            .fetch_one(&database.owner)
            .await
            .unwrap();
    assert_eq!(waiting, 1, "what was put off is not tried again");
}

/// How long what was put off waits.
const PAUSE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_follows_from_an_earlier_event_is_left_out_where_a_newer_one_waits() {
    let database = Database::new("about_an_earlier").await;
    register(&database.pool, &[PLANNER]).await.unwrap();
    let store = async |position: i64| {
        let planned = serde_json::json!([{
            "position": position,
            "target": "plan",
            "path": "/v1/plans",
            "destination": "",
            "event_id": new_id(),
            "correlation_id": new_id(),
            "about": "auctions",
            "wait_s": 0,
            "is_newest": true,
        }]);
        let stored = sqlx::query("select store_actions('planner', $1)").bind(planned);
        stored.execute(&database.owner).await.unwrap();
    };
    store(2).await;
    store(1).await;
    assert_eq!(untried(&database).await, [2]);
}

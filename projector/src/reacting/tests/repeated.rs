//! Actions that are about the same.

use tidemark_domain::About;

use super::*;
use crate::reacting::attempts;
use crate::reacting::destinations::Room;

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
            about: Some(About {
                what: "auctions".to_owned(),
                wait_s: 0,
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
    let waiting = async || {
        let sql = "select position from reactor_actions where attempts = 0 order by position";
        let positions: Vec<i64> = sqlx::query_scalar(sql)
            .fetch_all(&database.owner)
            .await
            .unwrap();
        positions
    };
    assert_eq!(waiting().await, [1]);

    let lease = std::time::Duration::from_mins(1);
    let room = Room::default();
    let taken = attempts::take(&database.pool, None, (9, 9), &room, lease, new_id()).await;
    assert_eq!(taken.unwrap().len(), 1);
    reactor.apply(at(3), &page(&events[3..])).await.unwrap();
    assert_eq!(
        waiting().await,
        [4],
        "the one before may have looked already"
    );
}

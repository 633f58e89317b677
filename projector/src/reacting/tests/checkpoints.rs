//! Where a reactor continues, and what it stores.

use std::sync::Arc;

use sqlx::Executor;
use tidemark_event_store::Log;
use tokio::time::timeout;

use super::*;
use crate::following::blocked::Blocked;
use crate::following::failure::SubscriberError;
use crate::following::follow::follow;
use crate::following::ring::Ring;
use crate::following::source::Source;
use crate::testing::recorded;

#[tokio::test]
async fn actions_and_checkpoint_are_stored_together_and_once() {
    let database = Database::new("react").await;
    let event = scheduled(&database, 2, PAST, FUTURE).await;
    let mut zombie = reactor(&database);
    zombie.start().await.unwrap();
    assert_eq!(
        react(&database, 0, vec![recorded(1), event.clone(), recorded(3)]).await,
        3
    );
    assert_eq!(reactor(&database).start().await.unwrap(), at(3));
    let again = zombie.apply(at(0), &page(&[Arc::new(event)])).await;
    assert!(matches!(again, Err(SubscriberError::Fenced(0))));
    let actions: Vec<(i64, String, i32)> =
        sqlx::query_as("select position, target, attempts from reactor_actions order by target")
            .fetch_all(&database.owner)
            .await
            .unwrap();
    assert_eq!(
        actions,
        [(2, "close".to_owned(), 0), (2, "open".to_owned(), 0)]
    );
}

#[tokio::test]
async fn a_reactor_with_nothing_to_do_stores_at_the_next_check_how_far_it_has_read() {
    let database = Database::new("reads_on").await;
    register_both(&database.pool).await;
    let events = database.append_shared(vec![recorded(1), recorded(2)]).await;
    let mut reactor = reactor(&database);
    let from = reactor.start().await.unwrap();
    assert!(!reactor.needs_check());
    let applied = reactor.apply(from, &page(&events)).await.unwrap();
    assert_eq!((applied.point, applied.checkpoint), (at(2), 0));
    assert!(reactor.needs_check());
    reactor.check(at(2)).await.unwrap();
    assert!(!reactor.needs_check());
    assert_eq!(reactor.start().await.unwrap(), at(2));
}

#[tokio::test]
async fn a_new_reactor_starts_at_the_head_and_the_others_keep_their_checkpoints() {
    let database = Database::new("second_reactor").await;
    let history = scheduled(&database, 1, PAST, FUTURE).await;
    react(&database, 0, vec![history]).await;
    database.append(&[recorded(2)]).await;
    register_both(&database.pool).await;
    let mut auditor = Reactor::new(database.pool.clone(), &AUDITOR, watch::Sender::default());
    assert_eq!(auditor.start().await.unwrap(), at(2));
    assert_eq!(reactor(&database).start().await.unwrap(), at(1));

    let news = scheduled(&database, 3, PAST, FUTURE).await;
    database.append(std::slice::from_ref(&news)).await;
    register_both(&database.pool).await;
    assert_eq!(
        auditor.start().await.unwrap(),
        at(2),
        "a reactor is registered once"
    );
    auditor
        .apply(at(2), &page(&[Arc::new(news)]))
        .await
        .unwrap();
    let answered: Vec<i64> =
        sqlx::query_scalar("select position from reactor_actions where reactor = $1")
            .bind(AUDITOR.name)
            .fetch_all(&database.owner)
            .await
            .unwrap();
    assert_eq!(answered, [3], "history is not answered");
}

#[tokio::test]
async fn a_reactor_that_stood_still_is_well_again_when_it_has_nothing_to_answer() {
    let database = Database::new("reactor_well").await;
    register_both(&database.pool).await;
    let stand_still = "update reactors set blocked = 'long ago'";
    database.owner.execute(stand_still).await.unwrap();
    let ring = Arc::new(Ring::new(10, 1 << 20));
    let config = database.config(&[]);
    let log = Log::new(database.pool.clone());
    let source = Source::new(ring, log, Blocked::default(), &config);
    let (reactor, stop) = (Box::new(reactor(&database)), CancellationToken::new());
    let following = tokio::spawn(follow(
        reactor,
        source,
        config.projection,
        None,
        stop.clone(),
    ));
    let is_well = async {
        let blocked = "select blocked from reactors where name = $1";
        while sqlx::query_scalar::<_, Option<String>>(blocked)
            .bind(TIMER.name)
            .fetch_one(&database.owner)
            .await
            .unwrap()
            .is_some()
        {}
    };
    timeout(Duration::from_secs(10), is_well).await.unwrap();
    stop.cancel();
    following.await.unwrap();
}

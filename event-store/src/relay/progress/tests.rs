//! What a term finds of the terms before it, on a real Postgres.

use super::*;
use crate::testing::{create_database, database_name};

async fn database(test: &str) -> PgPool {
    create_database(&database_name(&format!("progress_{test}"))).await
}

async fn term(pool: &PgPool, epoch: i64) -> (Progress, PreviousTerm) {
    let begun = Progress::begin_term(pool.clone(), epoch).await;
    begun.unwrap()
}

fn partition(topic: &str, number: i32) -> Partition {
    let topic = topic.into();
    Partition { topic, number }
}

fn at(position: i64, next_offset: i64) -> PartitionProgress {
    PartitionProgress {
        position,
        next_offset,
        adopted_until: 0,
    }
}

#[tokio::test]
async fn a_term_has_the_number_that_it_began_with() {
    let pool = database("number").await;
    assert_eq!(term(&pool, 7).await.0.epoch(), 7);
}

#[tokio::test]
async fn a_topic_keeps_the_number_of_partitions_that_it_was_created_with() {
    let pool = database("partition_counts").await;
    let (progress, _) = term(&pool, 1).await;
    assert_eq!(progress.partition_counts().await.unwrap(), HashMap::new());
    let (old, new) = ("old".to_owned(), "new".to_owned());
    let recorded = progress.add_topics(std::slice::from_ref(&old), 3).await;
    recorded.unwrap();
    let recorded = progress.add_topics(&[old.clone(), new.clone()], 5).await;
    recorded.unwrap();
    let counts = progress.partition_counts().await.unwrap();
    assert_eq!(counts, HashMap::from([(old, 3), (new, 5)]));
}

#[tokio::test]
async fn the_next_term_finds_what_was_saved_last() {
    let pool = database("saved").await;
    let (progress, previous) = term(&pool, 1).await;
    assert_eq!((previous.confirmed, previous.drained), (0, true));
    assert_eq!(progress.partitions().await.unwrap(), HashMap::new());
    progress.add_topics(&["a".to_owned()], 2).await.unwrap();
    let (first, second) = (partition("a", 0), partition("a", 1));
    let both = [(&first, at(3, 2)), (&second, at(4, 1))];
    let saved = progress.save(4, false, both.into_iter()).await;
    saved.unwrap();
    let moved = [(&second, at(9, 6))];
    let saved = progress.save(9, true, moved.into_iter()).await;
    saved.unwrap();

    let (progress, previous) = term(&pool, 2).await;
    assert_eq!((previous.confirmed, previous.drained), (9, true));
    let found = progress.partitions().await.unwrap();
    let name = |number| ("a".to_owned(), number);
    assert_eq!(
        found,
        HashMap::from([(name(0), at(3, 2)), (name(1), at(9, 6))])
    );
    let (_, previous) = term(&pool, 3).await;
    assert!(!previous.drained, "a term that has begun may send records");
}

#[tokio::test]
async fn a_term_that_another_has_followed_saves_nothing() {
    let pool = database("fenced").await;
    let (progress, _) = term(&pool, 1).await;
    let (next, _) = term(&pool, 2).await;
    let partition = partition("a", 0);
    let moved = [(&partition, at(5, 1))];
    let saved = progress.save(5, true, moved.into_iter()).await;
    assert!(matches!(saved, Err(Error::Fenced)));
    assert_eq!(next.partitions().await.unwrap(), HashMap::new());
    let begun = Progress::begin_term(pool, 2).await;
    assert!(matches!(begun, Err(Error::Fenced)));
}

#[tokio::test]
async fn an_alarm_lasts_until_a_term_publishes() {
    let pool = database("alarm").await;
    let is_alarm = async || {
        let sql = "select coalesce(alarm_epoch = epoch, false) from relay_progress";
        let found = sqlx::query_scalar::<_, bool>(sql).fetch_one(&pool).await;
        found.unwrap()
    };
    let alarm = || Error::AheadOfLog {
        position: 2,
        head: 1,
    };
    term(&pool, 1).await;
    Progress::save_alarm(&pool, 1, &alarm()).await.unwrap();
    assert!(is_alarm().await);
    term(&pool, 2).await;
    assert!(is_alarm().await, "the next term has found nothing out yet");
    // As a relay of an older build does, which knows of no alarms.
    let begun = sqlx::query("update relay_progress set epoch = 3").execute(&pool);
    begun.await.unwrap();
    term(&pool, 4).await;
    assert!(!is_alarm().await);
    Progress::save_alarm(&pool, 4, &alarm()).await.unwrap();
    assert!(is_alarm().await);
}

use super::*;
use crate::testing::{Database, recorded};

const LIMITS: PageLimits = PageLimits {
    events: 4,
    bytes: i64::MAX,
};

/// A log of ten events, of which pages of at most this size are kept.
async fn pages(test: &str, bytes_max: usize) -> (Database, Arc<LogPages>) {
    let database = Database::new(test).await;
    let events: Vec<_> = (1..=10).map(recorded).collect();
    database.append(&events).await;
    let log = Log::new(database.pool.clone());
    (database, Arc::new(LogPages::new(log, bytes_max)))
}

/// The page after a position, with its positions.
async fn page(reader: &PageReader, after: i64) -> (Vec<Arc<Recorded>>, Vec<i64>) {
    let events = reader.page(crate::testing::at(after), 10, LIMITS).await;
    let events = events.unwrap();
    let positions = events.iter().map(|event| event.position).collect();
    (events, positions)
}

/// Whether both were read from the log at once.
fn are_shared(one: &[Arc<Recorded>], other: &[Arc<Recorded>]) -> bool {
    one.iter().zip(other).all(|(a, b)| Arc::ptr_eq(a, b))
}

#[tokio::test]
async fn who_reads_the_same_part_of_the_log_reads_it_once() {
    let (_database, pages) = pages("read_once", usize::MAX).await;
    let (all, other) = (
        Arc::clone(&pages).reader(None),
        Arc::clone(&pages).reader(None),
    );
    let ((first, positions), (second, _)) = tokio::join!(page(&all, 0), page(&other, 0));
    assert_eq!(positions, [1, 2, 3, 4]);
    assert!(are_shared(&first, &second));
    let (next, positions) = page(&all, 4).await;
    assert_eq!(positions, [5, 6, 7, 8]);
    assert!(are_shared(&next, &page(&other, 4).await.0));
    let (_, positions) = page(&all, 8).await;
    assert_eq!(positions, [9, 10], "up to the head");
}

#[tokio::test]
async fn a_page_holds_what_all_want_who_read_when_it_is_read() {
    let (_database, pages) = pages("wanted_by_all", usize::MAX).await;
    let first = recorded(1);
    let kind: &'static str = first.event_type.clone().leak();
    let none = Arc::clone(&pages).reader(Some(Arc::from(["no.such"])));
    let (events, positions) = page(&none, 0).await;
    assert_eq!(positions, [4], "the end of the page alone");
    let one = Arc::clone(&pages).reader(Some(Arc::from([kind])));
    let (others, positions) = page(&one, 0).await;
    assert_eq!(positions, [1, 2, 3, 4], "what was read lacks what it wants");
    assert!(!are_shared(&events, &others));
    let (shared, _) = page(&none, 4).await;
    assert!(are_shared(&shared, &page(&one, 4).await.0));
    drop(one);
    let (_, positions) = page(&none, 5).await;
    assert_eq!(positions, [8], "nobody else wants anything any more");
}

#[tokio::test]
async fn pages_end_at_the_same_positions_wherever_reading_began() {
    let (_database, pages) = pages("same_ends", usize::MAX).await;
    let (one, other) = (
        Arc::clone(&pages).reader(None),
        Arc::clone(&pages).reader(None),
    );
    assert_eq!(page(&one, 2).await.1, [3, 4]);
    let (shared, _) = page(&one, 4).await;
    assert!(are_shared(&shared, &page(&other, 4).await.0));
}

#[tokio::test]
async fn the_oldest_pages_are_forgotten_when_they_are_too_large() {
    let (_database, pages) = pages("forgotten", 0).await;
    let (fast, slow) = (
        Arc::clone(&pages).reader(None),
        Arc::clone(&pages).reader(None),
    );
    let (first, _) = page(&fast, 0).await;
    assert!(
        are_shared(&first, &page(&slow, 0).await.0),
        "the newest is kept"
    );
    page(&fast, 4).await;
    let (again, positions) = page(&slow, 0).await;
    assert_eq!(positions, [1, 2, 3, 4]);
    assert!(!are_shared(&first, &again));
}

#[tokio::test]
async fn a_page_of_another_log_is_refused_and_a_later_one_is_read() {
    let (_database, pages) = pages("other_log", usize::MAX).await;
    let reader = Arc::clone(&pages).reader(None);
    let elsewhere = LogPoint {
        position: 4,
        event_id: Some(uuid::Uuid::from_u128(99)),
    };
    let refused = reader.page(elsewhere, 10, LIMITS).await;
    assert!(matches!(refused, Err(FollowError::OtherLog(4))));
    assert_eq!(page(&reader, 4).await.1, [5, 6, 7, 8]);
}

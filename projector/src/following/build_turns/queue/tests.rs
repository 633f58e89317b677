use futures::FutureExt;
use futures::future::LocalBoxFuture;

use super::*;

/// Waits at this position, and is not next when it comes.
fn waits(queue: &Arc<Queue>, position: i64, places: u32) -> LocalBoxFuture<'_, Taken> {
    let mut waiting = queue.take(position, places).boxed_local();
    assert!(!is_next(&mut waiting));
    waiting
}

/// Whether it has taken its places, which are free again afterwards.
fn is_next(waiting: &mut LocalBoxFuture<'_, Taken>) -> bool {
    waiting.now_or_never().is_some()
}

#[tokio::test]
async fn who_is_furthest_behind_is_next() {
    let queue = Arc::new(Queue::new(1));
    let taken = queue.take(7, 1).await;
    let (mut ahead, mut behind) = (waits(&queue, 3000, 1), waits(&queue, 1000, 1));
    drop(taken);
    assert!(!is_next(&mut ahead));
    assert!(is_next(&mut behind));
    assert!(is_next(&mut ahead));
}

#[tokio::test]
async fn who_is_passed_too_often_is_next_wherever_it_is() {
    let queue = Arc::new(Queue::new(1));
    let mut taken = queue.take(7, 1).await;
    let mut ahead = waits(&queue, 3000, 1);
    for _ in 0..2 * PASSED_MAX {
        let behind = waits(&queue, 1000, 1);
        drop(taken);
        taken = behind.await;
    }
    let mut behind = waits(&queue, 1000, 1);
    drop(taken);
    assert!(!is_next(&mut behind));
    assert!(is_next(&mut ahead));
}

#[tokio::test]
async fn who_no_longer_waits_keeps_nobody_waiting() {
    let queue = Arc::new(Queue::new(1));
    let taken = queue.take(7, 1).await;
    let (gone, other) = (waits(&queue, 1000, 1), waits(&queue, 3000, 1));
    drop(taken);
    drop(gone);
    other.await;
}

#[tokio::test]
async fn who_needs_all_places_is_not_passed_by_one_that_needs_less() {
    let queue = Arc::new(Queue::new(2));
    let (one, other) = (queue.take(7, 1).await, queue.take(7, 1).await);
    let (mut all, mut less) = (waits(&queue, 1000, 2), waits(&queue, 3000, 1));
    drop(one);
    assert!(!is_next(&mut less));
    assert!(!is_next(&mut all));
    drop(other);
    assert!(is_next(&mut all));
    assert!(is_next(&mut less));
}

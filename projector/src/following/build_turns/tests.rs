use tidemark_platform::Config;
use tokio::time::timeout;

use super::*;
use crate::testing::{at, recorded};

/// How long builds work in their turn.
const WORK: Duration = Duration::from_millis(20);

/// Two builds at once, which give way for long, and work a quarter of the time meanwhile.
fn turns() -> (Arc<Ring>, BuildTurns) {
    let settings = Rebuild {
        at_once: 2,
        gives_way_ms: 600_000,
        share_percent: 25,
        batch_max: 3,
        ..Config::from_vars([]).unwrap().rebuild
    };
    let ring = Arc::new(Ring::new(8, 1 << 20));
    ring.start(at(0));
    (Arc::clone(&ring), BuildTurns::new(&settings, ring))
}

/// A page of seven events, after which the log has more.
fn page() -> Page {
    Page {
        has_more: true,
        ..crate::testing::page(&(1..=7).map(|it| Arc::new(recorded(it))).collect::<Vec<_>>())
    }
}

/// Whether nobody else may begin.
async fn must_wait(turns: &BuildTurns, page: &mut Page) -> bool {
    timeout(Duration::ZERO, turns.next(0, page)).await.is_err()
}

#[tokio::test]
async fn while_nothing_comes_builds_work_without_a_rest_as_many_as_may() {
    let (_ring, turns) = turns();
    let (mut first, mut second) = (page(), page());
    let (one, rest) = turns.next(0, &mut first).await;
    assert_eq!((rest.is_none(), first.events.len()), (true, 7));
    assert!(!first.is_to_be_written);
    let (_two, _) = turns.next(0, &mut second).await;
    assert!(must_wait(&turns, &mut second).await, "a third waits");
    sleep(WORK).await;
    let worked = Instant::now();
    one.end().await;
    assert!(worked.elapsed() < WORK, "{:?}", worked.elapsed());
    turns.next(0, &mut second).await;
}

#[tokio::test]
async fn while_the_log_grows_one_works_on_little_and_rests() {
    let (ring, turns) = turns();
    ring.push(vec![recorded(1)]);
    let (mut first, mut second) = (page(), page());
    let (one, rest) = turns.next(0, &mut first).await;
    let positions = |page: &Page| -> Vec<_> { page.events.iter().map(|it| it.position).collect() };
    assert_eq!(positions(&first), [1, 2, 3]);
    assert_eq!(first.to, recorded(3).point());
    assert!(first.is_to_be_written && first.has_more);
    let rest = rest.unwrap();
    assert_eq!(positions(&rest), [4, 5, 6, 7]);
    assert_eq!((rest.to, rest.has_more), (recorded(7).point(), true));
    assert!(must_wait(&turns, &mut second).await, "another waits");

    sleep(WORK).await;
    let worked = Instant::now();
    one.end().await;
    assert!(worked.elapsed() >= 3 * WORK, "{:?}", worked.elapsed());
}

//! However large events are, what is read of them at once is bounded in bytes, and none is lost.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tidemark_event_store::feed::{Feed, LogFeed};
use tidemark_event_store::{Backoff, PageLimits};
use tidemark_events::{LogPoint, Recorded};
use tidemark_tests::process::peak_kib;
use tidemark_tests::{App, Database, eventually};

use super::failover::checkpoint;

/// The size of a large event.
const LARGE: usize = 250_000;
/// How much data is read at once.
const PAGE: PageLimits = PageLimits {
    events: 1_000,
    bytes: 1 << 20,
};

/// Appends events behind the log, of which the data of one in `one_in` is large. Some of these are stored compressed to
/// hardly anything, and the others are as large as their data.
async fn append(database: &Database, count: usize, one_in: usize) {
    let sql = format!(
        r#"
        with appended as (
            insert into events
            select h.position + n,
                   gen_random_uuid(),
                   gen_random_uuid(),
                   1,
                   'category',
                   case when n % 2 = 0 then 'category.even' else 'category.odd' end,
                   1,
                   format('{{"text":"%s"}}', case when n % {one_in} > 0 then n::text
                                                  when n % 4 < 2 then repeat('x', {LARGE})
                                                  else noise end)::json,
                   format('{{"actor":"service:test","correlation_id":"%s"}}', gen_random_uuid())::json,
                   clock_timestamp()
              from log_head h,
                   generate_series(1, {count}) n,
                   (select string_agg(md5(random()::text), '') as noise from generate_series(1, {LARGE} / 32)) as noise
            returning position
        )
        update log_head
           set position = (select max(position) from appended)"#
    );
    let appended = sqlx::query(AssertSqlSafe(sql)).execute(&database.pool);
    assert_eq!(appended.await.unwrap().rows_affected(), 1);
}

/// Fails if more was read at once than may be, but for one event.
fn assert_bounded(page: &[Recorded]) {
    let bytes: usize = page.iter().map(|event| event.data.len()).sum();
    let bytes_max = usize::try_from(PAGE.bytes).unwrap();
    assert!(bytes < bytes_max + LARGE + 100, "{bytes}");
}

#[tokio::test]
async fn pages_of_large_events_are_bounded_in_bytes_and_leave_nothing_out() {
    let database = Database::fresh().await;
    append(&database, 60, 3).await;
    let (log, head) = (database.log(), database.head().await);
    for types in [None, Some(&["category.even"][..]), Some(&["category.odd"])] {
        let (mut after, mut found) = (LogPoint::START, Vec::new());
        while after.position < head {
            let up_to = head.min(after.position + PAGE.events);
            let page = log.follow(after, up_to, types, PAGE.bytes).await.unwrap();
            assert_bounded(&page);
            after = page.last().unwrap().point();
            found.extend(page);
        }
        let is_wanted = |event: &Recorded| {
            event.position == head || types.is_none_or(|types| types.contains(&&*event.event_type))
        };
        let all = log.page(0, i64::MAX).await.unwrap();
        let expected: Vec<_> = all.into_iter().filter(is_wanted).collect();
        assert!(found == expected, "{types:?}");
    }
}

#[tokio::test]
async fn the_feed_of_the_log_gives_large_events_in_bounded_pages() {
    let database = Database::fresh().await;
    append(&database, 60, 3).await;
    let idle = Backoff::new(Duration::from_millis(10), Duration::from_millis(10));
    let mut feed = LogFeed::new(database.log(), LogPoint::START, PAGE, idle);
    let mut found = Vec::new();
    while found.len() < 60 {
        let page = feed.next().await.unwrap();
        assert_bounded(&page);
        found.extend(page);
    }
    let all = database.log().page(0, i64::MAX).await.unwrap();
    assert!(
        found == all,
        "the feed gave other events than the log holds"
    );
}

/// The data of these events is more than the projector may use, whether it reads them when it starts or as they come.
#[tokio::test]
async fn a_projector_needs_little_memory_for_large_events() {
    const EVENTS: usize = 800;
    const PEAK_KIB_MAX: u64 = 130 * 1024;
    let app = App::builder()
        .set("TIDEMARK_PROJECTION__RING_BYTES_MAX", 1 << 22)
        .start()
        .await;
    append(&app.database, EVENTS, 1).await;
    let projector = app.spawn_projector().await;
    for round in 0..2 {
        if round > 0 {
            append(&app.database, EVENTS, 1).await;
        }
        let head = app.database.head().await;
        eventually("the events to be applied", || async {
            (checkpoint(&app, "history").await >= head).then_some(())
        })
        .await;
        let peak = peak_kib(projector.pid());
        assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
        let rows = sqlx::query_scalar::<_, i64>("select count(*) from history_rows");
        assert_eq!(rows.fetch_one(&app.database.pool).await.unwrap(), head);
    }
}

//! Live updates: documents that never go back in time, and streams that are resumed where they ended.

use tidemark_read_models::market::auction::Auction;
use uuid::Uuid;

use super::harness::{Api, Database, Stream, auction, field};

const PATH: &str = "/auctions/00000000-0000-0000-0000-000000000001/live";
async fn open(api: &Api, headers: &[(&str, &str)]) -> Stream {
    Stream::open(api, PATH, headers).await
}

/// The id and the bid count of the next update; `None` at the end of the stream.
async fn next(stream: &mut Stream) -> Option<(String, i64)> {
    let (id, document) = stream.state().await?;
    Some((id, document["bid_count"].as_i64().unwrap()))
}

/// Writes an auction with this number of bids, changed at this position.
async fn write_auction(database: &Database, bid_count: u64, position: i64) {
    let mut row = auction(1);
    row.bid_count = bid_count;
    database
        .write::<Auction>(Uuid::from_u128(1), position, &row)
        .await;
}

#[tokio::test]
async fn updates_follow_changes_and_are_resumed_after_the_last_one_seen() {
    let database = Database::new("live").await;
    database.set_head(99).await;
    write_auction(&database, 0, 3).await;
    database.set_checkpoints(5).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_REFRESH_S", "3600")]).await;

    let mut stream = open(&api, &[]).await;
    assert_eq!(next(&mut stream).await, Some(("1.3".to_owned(), 0)));
    write_auction(&database, 1, 6).await;
    assert_eq!(next(&mut stream).await, Some(("1.6".to_owned(), 1)));

    // What the client has is not sent again; what changed since then is.
    let mut resumed = open(&api, &[("last-event-id", "1.6")]).await;
    write_auction(&database, 2, 7).await;
    assert_eq!(next(&mut resumed).await, Some(("1.7".to_owned(), 2)));
    assert_eq!(next(&mut stream).await, Some(("1.7".to_owned(), 2)));
    let mut late = open(&api, &[("last-event-id", "1.6")]).await;
    assert_eq!(next(&mut late).await, Some(("1.7".to_owned(), 2)));

    // The process ends its streams when it ends itself.
    drop(api);
    assert_eq!(next(&mut stream).await, None);
}

#[tokio::test]
async fn a_client_that_is_ahead_of_the_row_is_sent_nothing_older() {
    let database = Database::new("live_ahead").await;
    database.set_head(99).await;
    write_auction(&database, 0, 3).await;
    database.set_checkpoints(5).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_REFRESH_S", "3600")]).await;

    // It was sent position 8 by a process whose rows are ahead of this one's.
    let mut ahead = open(&api, &[("last-event-id", "1.8")]).await;
    let mut other = open(&api, &[]).await;
    assert_eq!(next(&mut other).await, Some(("1.3".to_owned(), 0)));
    for (bid_count, position) in [(1, 6), (2, 8), (3, 9)] {
        write_auction(&database, bid_count, position).await;
        let update = (format!("1.{position}"), bid_count.try_into().unwrap());
        // Both are told by one watcher, so the first one has seen this position too.
        assert_eq!(next(&mut other).await, Some(update));
    }
    assert_eq!(next(&mut ahead).await, Some(("1.9".to_owned(), 3)));
}

#[tokio::test]
async fn the_id_of_an_event_that_is_not_sent_yet_is_refused() {
    let database = Database::new("live_future").await;
    database.set_head(9).await;
    write_auction(&database, 0, 3).await;
    let api = Api::start(&database, &[]).await;
    let ask = async |seen| api.get(PATH, &[("last-event-id", seen)]).await;
    assert_eq!(ask("1.10").await.problem(), (400, "future_position"));
    let last = ask("1.9223372036854775807").await;
    assert_eq!(last.problem(), (400, "future_position"));
    assert!(last.detail().starts_with("Last-Event-ID "), "{last:?}");
    assert_eq!(ask("2.1").await.problem(), (409, "other_timeline"));
    open(&api, &[("last-event-id", "1.9")]).await;
}

#[tokio::test]
async fn a_browser_forgets_the_id_of_an_event_that_the_log_has_lost() {
    let database = Database::new("live_forget").await;
    database.set_head(9).await;
    write_auction(&database, 0, 3).await;
    let api = Api::start(&database, &[]).await;
    for (lost, code) in [("2.1", "other_timeline"), ("1.10", "future_position")] {
        let headers = [("accept", "text/event-stream"), ("last-event-id", lost)];
        let mut stream = open(&api, &headers).await;
        assert_eq!(stream.event().await.as_deref(), Some("retry: 5000"));
        let end = stream.event().await.unwrap();
        assert!(end.contains(&format!(r#""code":"{code}""#)), "{end}");
        assert!(end.lines().any(|line| line == "id:"), "{end}");
        assert_eq!(stream.event().await, None);
    }
}

#[tokio::test]
async fn the_id_of_an_event_before_a_fork_is_good_and_proxies_do_not_buffer() {
    let database = Database::new("live_timeline").await;
    database.set_head(9).await;
    write_auction(&database, 0, 3).await;
    let restored = "insert into timelines values (2, 1, 9); update log_head set timeline = 2";
    database.execute(restored).await;
    let api = Api::start(&database, &[]).await;
    let lost = api.get(PATH, &[("last-event-id", "1.10")]).await;
    assert_eq!(lost.problem(), (409, "other_timeline"));
    let mut stream = open(&api, &[("last-event-id", "1.9")]).await;
    let headers = stream.headers();
    assert_eq!(headers["x-accel-buffering"], "no");
    assert_eq!(next(&mut stream).await, Some(("2.3".to_owned(), 0)));
}

#[tokio::test]
async fn a_stream_says_when_to_connect_again_and_that_it_ends() {
    let database = Database::new("live_end").await;
    database.set_head(99).await;
    write_auction(&database, 0, 3).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_RETRY_MS", "1234")]).await;
    let mut stream = open(&api, &[]).await;
    assert_eq!(stream.event().await.as_deref(), Some("retry: 1234"));
    assert_eq!(next(&mut stream).await, Some(("1.3".to_owned(), 0)));
    drop(api);
    let end = "event: end\ndata: {\"code\":\"shutting_down\"}";
    assert_eq!(stream.event().await.as_deref(), Some(end));
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn updates_of_one_shard_do_not_wait_for_another() {
    let database = Database::new("live_shards").await;
    database.set_head(99).await;
    write_auction(&database, 0, 3).await;
    database.set_checkpoints(0).await;
    database.divide::<Auction>(3).await;
    // The checkpoints of the other shards stay at 0.
    database.set_shard_checkpoint::<Auction>(1, 3).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_REFRESH_S", "3600")]).await;

    let mut stream = open(&api, &[]).await;
    assert_eq!(next(&mut stream).await, Some(("1.3".to_owned(), 0)));
    for (bid_count, position) in [(1, 6), (2, 9)] {
        let mut row = auction(1);
        row.bid_count = bid_count;
        let id = Uuid::from_u128(1);
        database.write_in_shard::<Auction>(id, position, &row).await;
        let update = (format!("1.{position}"), bid_count.try_into().unwrap());
        assert_eq!(next(&mut stream).await, Some(update));
    }
}

#[tokio::test]
async fn live_updates_are_limited_in_number_and_need_an_auction() {
    let database = Database::new("live_bounds").await;
    database.set_head(9).await;
    write_auction(&database, 0, 3).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_CLIENTS_MAX", "1")]).await;
    let nothing = PATH.replace("0001", "0002");
    assert_eq!(api.get(&nothing, &[]).await.problem(), (404, "not_found"));
    let malformed = [("last-event-id", "x")];
    let answer = api.get(PATH, &malformed).await;
    assert_eq!(answer.problem(), (400, "invalid_last_event_id"));
    let _only = open(&api, &[]).await;
    assert_eq!(
        api.get(PATH, &[]).await.problem(),
        (503, "too_many_clients")
    );
    // The browser's own client would not come back after that status.
    let accept = [("accept", "text/event-stream")];
    let mut refused = open(&api, &accept).await;
    assert_eq!(refused.event().await.as_deref(), Some("retry: 5000"));
    let end = refused.event().await.unwrap();
    assert_eq!(field(&end, "event: "), "end");
    assert!(end.contains(r#""code":"too_many_clients""#), "{end}");
    assert_eq!(refused.event().await, None);
}

#[tokio::test]
async fn a_change_that_the_watcher_does_not_see_is_sent_all_the_same() {
    let database = Database::new("live_refresh").await;
    database.set_head(99).await;
    write_auction(&database, 0, 3).await;
    database.set_checkpoints(5).await;
    let api = Api::start(&database, &[("TIDEMARK_QUERY__SSE_REFRESH_S", "1")]).await;
    let mut streams = [open(&api, &[]).await, open(&api, &[]).await];
    for stream in &mut streams {
        assert_eq!(next(stream).await, Some(("1.3".to_owned(), 0)));
    }
    // The row changes without its checkpoint, so nobody is told.
    let unseen = "update auction_rows set position = 6, doc = jsonb_set(doc::jsonb, '{bid_count}', '1')::json";
    database.execute(unseen).await;
    for stream in &mut streams {
        assert_eq!(next(stream).await, Some(("1.6".to_owned(), 1)));
    }
}

#[tokio::test]
async fn clients_who_begin_at_once_are_each_answered_for_their_own_auction() {
    let database = Database::new("live_together").await;
    database.set_head(9).await;
    write_auction(&database, 0, 3).await;
    database.set_checkpoints(9).await;
    let one_statement = ("TIDEMARK_QUERY__SSE_READS_MAX", "1");
    let api = Api::start(&database, &[one_statement]).await;
    let ask = async |path: String, headers: &[(&str, &str)]| {
        let answer = api.send(&path, headers).await;
        answer.status().as_u16()
    };
    let nothing = |number: usize| PATH.replace("0001/", &format!("{:04}/", number + 2));
    let asked = (0..120).map(|number| match number % 3 {
        0 => ask(PATH.to_owned(), &[]),
        1 => ask(nothing(number), &[]),
        _ => ask(PATH.to_owned(), &[("last-event-id", "1.10")]),
    });
    let statuses = futures::future::join_all(asked).await;
    let expected = (0..120).map(|number| [200, 404, 400][number % 3]);
    assert_eq!(statuses, expected.collect::<Vec<_>>());
}

//! No list and no search fetches more rows than its page needs, or than it may examine, however many there are.

use tidemark_tests::many_rows::{
    BUSY_ADDRESS, busy_stream, busy_task, category, fill, fill_log, hot_auction, person, root,
};
use tidemark_tests::{Answer, App, Client, eventually};
use uuid::Uuid;

/// The number of auctions.
const AUCTIONS: i64 = 1_000_000;

/// The rows of a page, the one that tells that another follows, and one that Postgres has read ahead.
const PAGE: i64 = 22;
/// The most rows of one status that are examined for a page.
const EXAMINED_MAX: i64 = 2_000;
/// How many of these are examined first.
const FIRST_LOOK: i64 = EXAMINED_MAX / 10;
/// What the append of a reading looks up in the log, which puts on record that an auditor was shown events.
const READING: i64 = 8;
/// A list that names no status is merged of those of all.
const STATUSES: i64 = 4;
/// So often every list is read. Postgres may make another plan when it knows a statement.
const TIMES: i64 = 7;

/// The rows of a table that have been fetched, once all processes that have fetched any are gone.
async fn rows_fetched(app: &App, table: &str) -> i64 {
    let pool = &app.database.pool;
    eventually("the query API to disconnect", || async {
        let connected: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = $1 and usename = 'tidemark_read'",
        )
        .bind(app.database.name())
        .fetch_one(pool)
        .await
        .unwrap();
        (connected == 0).then_some(())
    })
    .await;
    sqlx::query_scalar(
        "select (coalesce(idx_tup_fetch, 0) + seq_tup_read)::bigint from pg_stat_user_tables where relname = $1",
    )
    .bind(table)
    .fetch_one(pool)
    .await
    .unwrap()
}

/// The lists of a table, as a client reads them.
struct Lists<'a> {
    app: &'a App,
    client: &'a Client,
    table: &'static str,
    /// The lists that fetched more rows than they should have, and how many.
    excesses: Vec<String>,
}

impl<'a> Lists<'a> {
    const fn of(app: &'a App, client: &'a Client, table: &'static str) -> Self {
        Self {
            app,
            client,
            table,
            excesses: Vec::new(),
        }
    }

    /// Reads a list, which should fetch at most so many rows.
    async fn check(&mut self, path: &str, most: i64) {
        let before = rows_fetched(self.app, self.table).await;
        let api = self.app.another_query_api().await;
        let client = self.client.via_query_api(&api.url);
        for _ in 0..TIMES {
            read(&client, path).await;
        }
        api.stop().await;
        let fetched = (rows_fetched(self.app, self.table).await - before) / TIMES;
        if fetched > most {
            let excess = format!("{path} fetches {fetched} rows, {most} are enough");
            self.excesses.push(excess);
        }
    }

    /// The thirtieth page of a list should cost what the first one does.
    async fn check_deep(&mut self, path: &str) {
        let mut cursor = String::new();
        let api = self.app.another_query_api().await;
        let reader = self.client.via_query_api(&api.url);
        for _ in 0..30 {
            let page = read(&reader, &format!("{path}&limit=100{cursor}")).await;
            cursor = format!("&cursor={}", page.body["next"].as_str().unwrap());
        }
        api.stop().await;
        let path = format!("{path}&limit=100{cursor}");
        self.check(&path, 80 + PAGE).await;
    }
}

/// Reads a page of rows that have only what lists look at, so that their description is not true of them.
async fn read(client: &Client, path: &str) -> Answer {
    let response = client.query(path).send().await.unwrap();
    Answer::of(response).await.ok()
}

#[tokio::test]
async fn lists_and_searches_fetch_few_of_a_million_rows() {
    let app = App::start().await;
    let (user, auditor) = (app.user().await, app.auditor().await);
    let operator = app.user_with("operator").await;
    let of_busy = operator.with("email-address", BUSY_ADDRESS);
    fill(&app, user.id, AUCTIONS).await;
    let excesses = [
        auctions(Lists::of(&app, &user, "auction_rows_1")).await,
        products(Lists::of(&app, &user, "product_rows_1")).await,
        bids(Lists::of(&app, &user, "bid_rows_1")).await,
        history(Lists::of(&app, &auditor, "history_rows_1")).await,
        notifications(Lists::of(&app, &user, "notification_rows_1")).await,
        watches(Lists::of(&app, &user, "watch_rows_1")).await,
        deliveries(Lists::of(&app, &operator, "delivery_rows_1"), user.id).await,
        of_address(Lists::of(&app, &of_busy, "delivery_rows_1")).await,
        suppressions(Lists::of(&app, &operator, "suppression_rows_1")).await,
        suppressions(Lists::of(&app, &of_busy, "suppression_rows_1")).await,
        templates(Lists::of(&app, &operator, "template_rows_1")).await,
        tasks(Lists::of(&app, &user, "task_rows_1")).await,
        task_runs(Lists::of(&app, &user, "task_run_rows_1")).await,
        task_health(Lists::of(&app, &user, "task_health_rows_1")).await,
        categories(Lists::of(&app, &user, "category_rows_1")).await,
        media(Lists::of(&app, &user, "media_rows_1")).await,
    ];
    assert_eq!(excesses.concat(), Vec::<String>::new());

    fill_log(&app, AUCTIONS / 5).await;
    let excesses = [
        stream(Lists::of(&app, &auditor, "events")).await,
        parked_rows(Lists::of(&app, &operator, "parked")).await,
    ];
    assert_eq!(excesses.concat(), Vec::<String>::new());
}

async fn auctions(mut lists: Lists<'_>) -> Vec<String> {
    let few = FIRST_LOOK + 2 * PAGE;
    let one = category(7);
    let seller = person(7);
    for (query, most) in [
        // What is common is found in the order of the list.
        (String::new(), STATUSES * PAGE),
        ("status=open".into(), PAGE),
        ("sort=bid_count".into(), STATUSES * PAGE),
        ("sort=newest&status=closed".into(), PAGE),
        ("sort=newest&status=open".into(), PAGE),
        ("sort=price&currency=EUR&status=open".into(), PAGE),
        (
            "sort=price&currency=EUR&price_min=500000&price_max=500100".into(),
            STATUSES * PAGE,
        ),
        ("q=common".into(), STATUSES * FIRST_LOOK),
        ("q=-common&status=open".into(), FIRST_LOOK),
        (format!("category={}", root()), STATUSES * PAGE),
        ("currency=EUR".into(), STATUSES * (PAGE + 1)),
        // What is rare is found by an index of it.
        ("q=absent&status=closed".into(), few),
        ("q=rare&status=closed".into(), few),
        ("q=absent".into(), STATUSES * few),
        ("q=common+rare&sort=newest".into(), STATUSES * few),
        (format!("category={one}&status=open"), few),
        (
            format!("category={one}&status=open&sort=price&currency=EUR"),
            few,
        ),
        (format!("category={one}&status=closed&q=medium"), few),
        (format!("seller={seller}&status=closed"), FIRST_LOOK + 2_000),
        ("currency=DKK&status=open".into(), few),
        (
            "currency=EUR&price_min=500000&price_max=500100&status=closed".into(),
            few + 2 * PAGE + 101,
        ),
        // Of what is neither, no more is examined.
        (
            "q=medium&status=closed".into(),
            FIRST_LOOK + 2 * EXAMINED_MAX + 2 * PAGE,
        ),
        (
            "q=late&status=closed".into(),
            FIRST_LOOK + 2 * EXAMINED_MAX + 2 * PAGE,
        ),
        (
            "q=late&currency=EUR&price_min=0&price_max=900000&status=closed".into(),
            FIRST_LOOK + 3 * EXAMINED_MAX + 3 * PAGE,
        ),
    ] {
        lists.check(&format!("/v1/auctions?{query}"), most).await;
    }
    lists.check_deep("/v1/auctions?status=closed").await;
    lists.check("/v1/me/auctions", PAGE).await;
    lists.check("/v1/me/auctions/won", PAGE).await;
    lists.excesses
}

async fn products(mut lists: Lists<'_>) -> Vec<String> {
    let (one, seller) = (category(7), person(7));
    // The lists of three statuses and of the viewer's drafts are merged.
    let most = STATUSES * PAGE;
    for query in [
        String::new(),
        "status=sold".into(),
        "status=draft".into(),
        format!("category={one}"),
        format!("seller={seller}"),
        format!("seller={seller}&category={one}"),
        format!("seller={seller}&status=withdrawn"),
    ] {
        lists.check(&format!("/v1/products?{query}"), most).await;
    }
    lists.check_deep("/v1/products?status=listed").await;
    lists.excesses
}

async fn bids(mut lists: Lists<'_>) -> Vec<String> {
    let hot = hot_auction();
    for path in [format!("/v1/auctions/{hot}/bids"), "/v1/me/bids".to_owned()] {
        lists.check(&path, PAGE).await;
    }
    let path = format!("/v1/auctions/{hot}/bids?");
    lists.check_deep(&path).await;
    lists.excesses
}

async fn notifications(mut lists: Lists<'_>) -> Vec<String> {
    for query in ["", "status=unread", "status=archived"] {
        let path = format!("/v1/me/notifications?{query}");
        lists.check(&path, PAGE).await;
    }
    lists.excesses
}

async fn watches(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/me/watches", PAGE).await;
    lists.excesses
}

async fn deliveries(mut lists: Lists<'_>, user_id: Uuid) -> Vec<String> {
    let of_user = format!("user_id={user_id}");
    for query in ["", &of_user, "status=bounced", "status=accepted"] {
        let path = format!("/v1/operations/deliveries?{query}");
        lists.check(&path, PAGE).await;
    }
    lists.excesses
}

async fn of_address(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/operations/deliveries", PAGE).await;
    lists.check_deep("/v1/operations/deliveries?").await;
    lists.excesses
}

async fn suppressions(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/operations/suppressions", PAGE).await;
    lists.excesses
}

async fn templates(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/operations/templates", PAGE).await;
    lists.check_deep("/v1/operations/templates?").await;
    lists.excesses
}

async fn categories(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/categories", PAGE).await;
    lists.excesses
}

async fn media(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/media", PAGE).await;
    lists.excesses
}

async fn stream(mut lists: Lists<'_>) -> Vec<String> {
    let path = format!("/v1/audit/streams/{}/events", busy_stream());
    for after in [0, 90_000] {
        let path = format!("{path}?after_version={after}");
        lists.check(&path, PAGE + READING).await;
    }
    lists.excesses
}

async fn parked_rows(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/operations/parked-rows", PAGE).await;
    lists.check_deep("/v1/operations/parked-rows?").await;
    lists.excesses
}

async fn tasks(mut lists: Lists<'_>) -> Vec<String> {
    lists.check("/v1/tasks", PAGE).await;
    lists.excesses
}

async fn task_runs(mut lists: Lists<'_>) -> Vec<String> {
    let of_task = format!("/v1/tasks/{}/runs?", busy_task());
    for path in [&of_task, "/v1/task-runs?"] {
        for filter in [
            "",
            "status=failed",
            "outcome=timed_out",
            "from=1970-01-01T00:00:00Z",
        ] {
            lists.check(&format!("{path}{filter}"), PAGE).await;
        }
        lists.check_deep(path).await;
    }
    lists.excesses
}

async fn task_health(mut lists: Lists<'_>) -> Vec<String> {
    let path = format!("/v1/tasks/{}/health", busy_task());
    lists.check(&path, PAGE).await;
    lists.check_deep(&format!("{path}?")).await;
    lists.excesses
}

async fn history(mut lists: Lists<'_>) -> Vec<String> {
    let actor = format!("user:{}", person(7));
    for (query, most) in [
        (String::new(), PAGE),
        ("after_position=120000".into(), PAGE),
        ("readings=true&after_position=120000".into(), PAGE),
        ("type=auction.closed".into(), PAGE),
        ("aggregate=reading&readings=true".into(), PAGE),
        (format!("actor={actor}"), PAGE),
        // The actor did not, so all of the actor's events are examined.
        (format!("actor={actor}&type=user.registered"), EXAMINED_MAX),
    ] {
        lists
            .check(&format!("/v1/audit/events?{query}"), most)
            .await;
    }
    lists.excesses
}

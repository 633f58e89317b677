//! What one command costs others: conflicts, repeated requests, slow commits and long streams.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;

use futures::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tidemark_command_api::ProcessRoles;
use tidemark_tests::market::{INCREMENT, STARTING_PRICE, eur};
use tidemark_tests::{Answer, App, Client, eventually};
use uuid::Uuid;

const API: ProcessRoles = ProcessRoles {
    api: true,
    relay: false,
};

/// Makes every commit that writes events take so many milliseconds, as on a slow disk.
pub(crate) async fn make_commits_slow(pool: &PgPool, milliseconds: u32) {
    let seconds = f64::from(milliseconds) / 1_000.0;
    let sql = format!(
        "create or replace function slow_commit() returns trigger language plpgsql
             as $$ begin perform pg_sleep({seconds}); return null; end $$;
         drop trigger if exists slow on log_head;
         create constraint trigger slow after update on log_head
             deferrable initially deferred for each row
             when (new.position > old.position) execute function slow_commit()"
    );
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(pool)
        .await
        .unwrap();
}

/// Takes the right to read the log from the command APIs; they may still append.
async fn forbid_reading(pool: &PgPool) {
    sqlx::raw_sql("revoke select on events, snapshots, claims from tidemark_append")
        .execute(pool)
        .await
        .unwrap();
}

/// How many batches were sent, and at how many times events were recorded.
pub(super) async fn batches(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "select (select sum(case when h.appender = x.id then h.batch else x.last_batch end)::bigint
                   from executors x, log_head h),
                (select count(distinct recorded_at) from events)",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Has `clients` create so many categories each, one after the other.
async fn create_categories(admin: &Client, clients: usize, each: usize) -> Vec<Answer> {
    let creating = (0..clients).map(|client| async move {
        let mut answers = Vec::new();
        for number in 0..each {
            let body = json!({"name": "Lamps", "slug": format!("lamps-{client}-{number}")});
            answers.push(admin.post("/v1/categories", &body).await);
        }
        answers
    });
    join_all(creating).await.into_iter().flatten().collect()
}

/// The process that is told what it had not seen may decide again at once, while the other goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_auction_take_turns() {
    let app = App::start().await;
    let auction = app
        .market()
        .await
        .auction(json!({"minimum_increment": 1}))
        .await;
    let bidder = app.user().await;
    let other = app.another_command_api(API).await;
    let urls = [app.command_url(), &other.url];
    make_commits_slow(&app.database.pool, 30).await;
    let (amount, answered) = (AtomicI64::new(STARTING_PRICE), AtomicI64::new(0));
    let bid_for_a_while = async |url: &str| {
        let client = bidder.via_command_api(url);
        let mut accepted = 0;
        while answered.load(SeqCst) < 400 {
            let answer = client.bid(auction, amount.fetch_add(1, SeqCst)).await;
            if answer.is_ok() {
                accepted += 1;
            } else {
                answer.problem(409, "bid_too_low");
            }
            answered.fetch_add(1, SeqCst);
        }
        accepted
    };
    let clients = urls.iter().cycle().take(16).map(|url| bid_for_a_while(url));
    let accepted = join_all(clients).await;
    let of_process = |process| -> i32 { accepted.iter().skip(process).step_by(2).sum() };
    let (one, other) = (of_process(0), of_process(1));
    let is_fair = 4 * one.min(other) > one + other;
    assert!(is_fair, "{one} and {other} were accepted");
}

#[tokio::test]
async fn a_conflict_is_decided_again_without_a_read() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let listed = market.listed().await;
    let bidder = app.user().await;
    let other = app.another_command_api(API).await;
    let clients = [
        bidder.clone().via_command_api(app.command_url()),
        bidder.via_command_api(&other.url),
    ];
    let sellers = [
        market.seller.via_command_api(app.command_url()),
        market.seller.via_command_api(&other.url),
    ];
    let terms = market.terms(listed, json!({})).await;
    // Both processes load what they need.
    let mut amount = STARTING_PRICE;
    for (client, seller) in clients.iter().zip(&sellers) {
        client.bid(auction, amount).await.ok();
        amount += INCREMENT;
        let id = seller.post("/v1/auctions", &terms).await.ok().id();
        let cancel = format!("/v1/auctions/{id}/cancel");
        seller.post_empty(&cancel).await.ok();
    }
    forbid_reading(&app.database.pool).await;
    for _ in 0..3 {
        for client in &clients {
            client.bid(auction, amount).await.ok();
            amount += INCREMENT;
        }
    }
    sellers[0].post("/v1/auctions", &terms).await.ok();
    sellers[1]
        .post("/v1/auctions", &terms)
        .await
        .problem(409, "product_already_auctioned");
}

#[tokio::test]
async fn a_finished_key_does_not_reach_the_log_again() {
    let app = App::builder()
        .set("TIDEMARK_EXECUTOR__RECORDS_TRUSTED_MS", 60_000)
        .start()
        .await;
    let auction = app.market().await.auction(json!({})).await;
    let bidder = app.user().await.with_key("a-key-that-is-sent-again");
    let path = format!("/v1/auctions/{auction}/bids");
    let bid = json!({"amount": eur(STARTING_PRICE)});
    let first = bidder.post(&path, &bid).await.ok();
    let other = app.another_command_api(API).await;
    let replay = async |client: &Client| {
        let again = client.post(&path, &bid).await.ok();
        assert_eq!(again.text, first.text);
        assert_eq!(again.tidemark(), first.tidemark());
        assert_eq!(again.header("idempotency-replayed"), "true");
        batches(&app.database.pool).await
    };
    let sent = batches(&app.database.pool).await;
    assert_eq!(replay(&bidder).await, sent);
    // Another process learns of it once.
    let elsewhere = bidder.via_command_api(&other.url);
    let learned = replay(&elsewhere).await;
    assert_eq!(replay(&elsewhere).await, learned);
    let changed = json!({"amount": eur(STARTING_PRICE * 2)});
    elsewhere
        .post(&path, &changed)
        .await
        .problem(422, "idempotency_key_reused");
    assert_eq!(batches(&app.database.pool).await, learned);
}

/// A batch waits for as long as the one before is committed. It is decided again when it is sent, and not sent
/// to be refused.
#[tokio::test]
async fn slow_commits_cost_no_batch() {
    let app = App::builder()
        .set("TIDEMARK_EXECUTOR__DECISION_AGE_MAX_MS", 1_000)
        .set("TIDEMARK_EXECUTOR__COMMAND_DEADLINE_MS", 60_000)
        .set("TIDEMARK_HTTP__HANDLER_TIMEOUT_MS", 60_000)
        .start()
        .await;
    let admin = app.admin().await;
    let pool = &app.database.pool;
    make_commits_slow(pool, 1_200).await;
    let before = batches(pool).await;
    for answer in create_categories(admin, 8, 2).await {
        answer.ok();
    }
    let after = batches(pool).await;
    assert_eq!(
        after.0 - before.0,
        after.1 - before.1,
        "a batch was refused"
    );
}

#[tokio::test]
async fn who_waits_for_slow_commits_is_not_said_to_contend() {
    let mut app = App::start().await;
    let admin = app.admin().await.clone();
    for (name, ms) in [("DECISION_AGE_MAX", "100"), ("COMMAND_DEADLINE", "200")] {
        app.settings
            .set(&format!("TIDEMARK_EXECUTOR__{name}_MS"), ms);
    }
    let impatient = app.another_command_api(API).await;
    let admin = admin.via_command_api(&impatient.url);
    let body = json!({"name": "Lamps", "slug": "lamps"});
    eventually("a category to be created", || async {
        let created = admin.post("/v1/categories", &body).await;
        created.is_ok().then_some(())
    })
    .await;
    make_commits_slow(&app.database.pool, 400).await;
    let mut answers = BTreeMap::new();
    for answer in create_categories(&admin, 8, 2).await {
        *answers.entry(answer.code().to_owned()).or_insert(0) += 1;
    }
    assert!(answers.contains_key("overloaded"), "{answers:?}");
    assert!(!answers.contains_key("contended"), "{answers:?}");
}

/// Appends bids to an auction without the append function, so that no snapshot of it is stored.
async fn make_long(pool: &PgPool, auction: Uuid, bids: i64) {
    let sql = "
        with bid as (
            select * from events where stream_id = $1 order by version desc limit 1
        ), head as (
            select * from log_head
        )
        insert into events
        select head.position + n, gen_random_uuid(), bid.stream_id, bid.version + n, bid.aggregate,
               bid.type, bid.schema_version, bid.data, bid.metadata, head.recorded_at
          from bid, head, generate_series(1, $2) as n";
    sqlx::query(sql)
        .bind(auction)
        .bind(bids)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query("update log_head set position = position + $1")
        .bind(bids)
        .execute(pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_long_stream_holds_up_no_load_of_another() {
    let app = App::builder()
        .set("TIDEMARK_EXECUTOR__LOADS_MAX", 1)
        .set("TIDEMARK_EXECUTOR__COMMAND_DEADLINE_MS", 60_000)
        .start()
        .await;
    let market = app.market().await;
    let (long, short) = (
        market.auction(json!({})).await,
        market.auction(json!({})).await,
    );
    let bidder = app.user().await;
    bidder.bid(long, STARTING_PRICE).await.ok();
    make_long(&app.database.pool, long, 30_000).await;
    let other = app.another_command_api(API).await;
    let bidder = bidder.via_command_api(&other.url);
    bidder
        .post_empty(&format!("/v1/auctions/{short}/cancel"))
        .await
        .problem(403, "role_required");

    let finished = AtomicI64::new(0);
    let bid = async |auction, amount| {
        bidder.bid(auction, amount).await.ok();
        finished.fetch_add(1, SeqCst)
    };
    let (of_long, of_short) =
        tokio::join!(bid(long, STARTING_PRICE * 2), bid(short, STARTING_PRICE));
    assert!(
        of_short < of_long,
        "the bid on the short auction came second"
    );
}

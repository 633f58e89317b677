//! An append whose answer is lost is resolved: every command that was answered is in the log once, although
//! the connections to Postgres are cut.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use tidemark_tests::eventually;
use tidemark_tests::market::eur;
use tidemark_tests::proxy::{Direction, Fault, Proxy};
use tidemark_tests::{App, Client};
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 16;
/// The number of appends that are cut off while they run.
const CUTS: i64 = 20;
const CUT_EVERY: Duration = Duration::from_millis(15);

#[tokio::test]
async fn cut_connections_neither_lose_nor_repeat_a_command() {
    let app = App::start().await;
    let admin = app.admin().await.clone();
    let before = app.database.head().await;
    let stop = CancellationToken::new();
    let clients = (0..CLIENTS).map(|client| create_categories(&admin, client, &stop));
    let cuts = cut_connections(&app.database.pool);
    let cutting = async {
        cuts.await;
        stop.cancel();
    };
    let (answered, ()) = tokio::join!(join_all(clients), cutting);
    let mut answered: Vec<i64> = answered.into_iter().flatten().collect();

    let commands = i64::try_from(answered.len()).unwrap();
    let log: Vec<(i64, String)> = sqlx::query_as(
        "select position, data->>'slug' from events where position > $1 order by position",
    )
    .bind(before)
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    let expected: Vec<i64> = (before + 1..=before + commands).collect();
    assert_eq!(
        log.iter()
            .map(|(position, _)| *position)
            .collect::<Vec<_>>(),
        expected
    );
    let mut slugs: Vec<_> = log.into_iter().map(|(_, slug)| slug).collect();
    slugs.sort_unstable();
    slugs.dedup();
    assert_eq!(
        slugs.len(),
        answered.len(),
        "each command is in the log once"
    );
    answered.sort_unstable();
    assert_eq!(
        answered, expected,
        "each answer named the position of its own command"
    );
}

#[tokio::test]
async fn an_accepted_command_is_answered_again_although_it_would_be_refused_now() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let (first, second) = (app.user().await, app.user().await);
    let path = format!("/v1/auctions/{auction}/bids");
    let bid = json!({"amount": eur(1_000)});
    let keyed = first.with_key("the-first-bid-of-all");
    let done = keyed.post(&path, &bid).await.ok();
    second.bid(auction, 2_000).await.ok();
    let head = app.database.head().await;

    let again = keyed.post(&path, &bid).await;
    assert_eq!((again.status, &again.body), (done.status, &done.body));
    assert_eq!(again.tidemark(), done.tidemark());
    assert_eq!(again.header("idempotency-replayed"), "true");
    first.post(&path, &bid).await.problem(409, "bid_too_low");
    assert_eq!(app.database.head().await, head);
}

/// A key would hide a loss: the command that is sent again would act then.
#[tokio::test]
async fn commands_without_a_key_whose_answer_is_cut_off_are_in_the_log_once() {
    let mut app = App::start().await;
    let postgres = Proxy::before_postgres(&mut app.settings, "APPEND").await;
    let process = app.spawn_command_api().await;
    let market = app.market().await;
    let bidder = app.user().await.via_command_api(&process.url);
    let auctions = [
        market.auction(json!({})).await,
        market.auction(json!({})).await,
        market.auction(json!({})).await,
    ];
    // Everything that the bids rest on is in memory afterwards, and the other process, whose timers open the
    // auctions, does not contend for them any more: this one would let it go first, and ask Postgres for that.
    for amount in [1_000, 1_500] {
        for auction in auctions {
            bidder.bid(auction, amount).await.ok();
        }
    }
    let before = app.database.head().await;
    postgres.set(Direction::Down, Fault::BlackHole);
    let bids = join_all(auctions.map(|auction| bidder.bid(auction, 2_000)));
    let cutting = async {
        eventually("a bid to be committed", || async {
            (app.database.head().await > before).then_some(())
        })
        .await;
        postgres.heal();
        postgres.cut();
    };
    let (answers, ()) = tokio::join!(bids, cutting);
    for (auction, answer) in auctions.iter().zip(answers) {
        let positions: Vec<i64> = sqlx::query_scalar(
            "select position from events where stream_id = $1 and position > $2",
        )
        .bind(auction)
        .bind(before)
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
        assert_eq!(positions, [answer.ok().position()]);
    }
    assert_eq!(app.database.head().await, before + 3);
}

/// Before its batch, an executor asks Postgres to let another one go first. If that answer is lost, nothing was
/// appended yet, and the batch is decided again.
#[tokio::test]
async fn a_command_is_in_the_log_once_if_the_answer_before_its_append_is_lost() {
    let mut app = App::start().await;
    let postgres = Proxy::before_postgres(&mut app.settings, "APPEND").await;
    let process = app.spawn_command_api().await;
    let auction = app.market().await.auction(json!({})).await;
    let bidder = app.user().await.via_command_api(&process.url);
    let pool = &app.database.pool;
    // A contender that has gone: it never appends, so this process waits for it in vain, for a moment. It does so
    // twice, because the first time has Postgres prepare the statement, and that answer is another one.
    for amounts in [&[1_000, 1_500][..], &[2_000]] {
        sqlx::query("update log_head set contender = gen_random_uuid()")
            .execute(pool)
            .await
            .unwrap();
        for amount in amounts {
            bidder.bid(auction, *amount).await.ok();
        }
    }
    let before = app.database.head().await;
    postgres.set(Direction::Down, Fault::CutAfter(0));
    let cutting = async {
        eventually("the process to have let the contender go first", || async {
            let gone: bool = sqlx::query_scalar("select contender is null from log_head")
                .fetch_one(pool)
                .await
                .unwrap();
            gone.then_some(())
        })
        .await;
        assert_eq!(app.database.head().await, before);
        postgres.heal();
    };
    let (answer, ()) = tokio::join!(bidder.bid(auction, 2_500), cutting);
    assert_eq!(answer.ok().position(), before + 1);
    assert_eq!(app.database.head().await, before + 1);
}

/// Creates one category after the other, and sends each command again with its key until it is
/// accepted.
async fn create_categories(admin: &Client, client: usize, stop: &CancellationToken) -> Vec<i64> {
    let mut positions = Vec::new();
    while !stop.is_cancelled() {
        let slug = format!("category-{client}-{}", positions.len());
        let keyed = admin.with_key(&format!("create-{slug}"));
        let body = json!({"name": "Category", "slug": slug});
        let done = eventually("a command to be accepted", || async {
            let answer = keyed.post("/v1/categories", &body).await;
            let lost = answer.status == 503;
            assert!(
                lost || answer.is_ok(),
                "only a lost answer may fail: {answer:?}"
            );
            (!lost).then_some(answer)
        })
        .await;
        positions.push(done.position());
    }
    positions
}

/// Ends the connections that append, until [`CUTS`] of them were cut.
async fn cut_connections(pool: &PgPool) {
    let mut cut = 0;
    let mut ticks = tokio::time::interval(CUT_EVERY);
    while cut < CUTS {
        ticks.tick().await;
        cut += sqlx::query_scalar::<_, i64>(
            "select count(pg_terminate_backend(pid))
               from pg_stat_activity
              where datname = current_database()
                and usename = 'tidemark_append'
                and state = 'active'
                and query like '%append(%'",
        )
        .fetch_one(pool)
        .await
        .unwrap();
    }
}

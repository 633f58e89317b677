//! One who sends much delays the others by little, and takes no place from them.

use std::cell::Cell;
use std::fmt::Display;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Postgres, Transaction};
use tidemark_tests::market::{Market, product};
use tidemark_tests::people::Person;
use tidemark_tests::{Answer, App, Client, Process, Settings, eventually};

/// How many commands one principal sends at once.
const MANY: usize = 40;
/// How many of them fit into a batch.
const IN_A_BATCH: i64 = 4;
/// The least that the events of a draft with a long description take.
const LONG_BYTES: i64 = 30_000;
/// How many commands of one principal may wait, where that is to be reached.
const SHARE: i64 = 3;

/// A command API whose appends may be held back for long.
pub(super) async fn command_api(app: &App, changed: &[(&str, i64)]) -> Process {
    let mut settings = app.settings.clone();
    for timeout in [
        "DATABASE__LOCK_TIMEOUT_MS",
        "DATABASE__STATEMENT_TIMEOUT_MS",
        "EXECUTOR__DECISION_AGE_MAX_MS",
        "EXECUTOR__COMMAND_DEADLINE_MS",
        "HTTP__HANDLER_TIMEOUT_MS",
    ] {
        settings.set(&format!("TIDEMARK_{timeout}"), "60000");
    }
    for timeout in [
        "DATABASE__RESPONSE_TIMEOUT_MS",
        "EXECUTOR__APPEND_TIMEOUT_MS",
    ] {
        settings.set(&format!("TIDEMARK_{timeout}"), "61000");
    }
    for (name, value) in changed {
        settings.set(&format!("TIDEMARK_{name}"), value.to_string());
    }
    Process::command_api(&settings).await
}

/// A command API with the settings of production.
pub(super) async fn in_production(app: &App) -> Process {
    let mut settings = Settings::in_production(&app.database);
    settings.set("TIDEMARK_COMMAND_API__LISTEN", "127.0.0.1:0");
    settings.set("TIDEMARK_KAFKA__BROKERS", "");
    Process::command_api(&settings).await
}

/// Holds back every append until the transaction ends.
pub(super) async fn hold_appends(app: &App) -> Transaction<'_, Postgres> {
    let mut transaction = app.database.pool.begin().await.unwrap();
    let lock = sqlx::query("select position from log_head for update");
    lock.execute(&mut *transaction).await.unwrap();
    transaction
}

/// Waits until so many commands are in the executor of a process.
pub(super) async fn are_waiting(process: &Process, commands: impl Display) {
    shows(process, &format!("tidemark_executor_commands {commands}")).await;
}

/// Waits until this line is among the metrics of a process.
pub(super) async fn shows(process: &Process, expected: &str) {
    let metrics = Client::anonymous(&process.url, "");
    eventually("a metric to have its value", || async {
        let metrics = Answer::to(metrics.command(Method::GET, "/metrics")).await;
        metrics
            .text
            .lines()
            .any(|line| line == expected)
            .then_some(())
    })
    .await;
}

pub(super) fn draft(market: &Market<'_>, description: &str) -> Value {
    let mut body = product(market.category_id);
    body["description"] = description.into();
    body
}

/// How many events are between the head before and that of a principal who sends one command after another
/// one has sent many.
async fn place_after_many(bound: (&str, i64), description: &str) -> i64 {
    let app = App::start().await;
    let market = app.market().await;
    let process = command_api(&app, &[bound]).await;
    let one = app.seller().await.via_command_api(&process.url);
    let many = market.seller.via_command_api(&process.url);
    // The states that the drafts rest on are in memory afterwards.
    for seller in [&one, &many] {
        seller.post("/v1/products", &draft(&market, "")).await.ok();
    }
    let (before, held) = (app.database.head().await, hold_appends(&app).await);
    let body = draft(&market, description);
    let sent_many = join_all((0..MANY).map(|_| many.post("/v1/products", &body)));
    let sent_one = async {
        are_waiting(&process, MANY).await;
        let body = draft(&market, "");
        let (answer, ()) = tokio::join!(one.post("/v1/products", &body), async {
            are_waiting(&process, MANY + 1).await;
            held.rollback().await.unwrap();
        });
        answer.ok().position() - before
    };
    let (answers, place) = tokio::join!(sent_many, sent_one);
    assert!(answers.iter().all(Answer::is_ok));
    place
}

/// One batch of the many is being appended and another one is decided when the one command comes.
#[tokio::test]
async fn one_command_waits_for_no_more_than_a_batch_of_another_principal() {
    let place = place_after_many(("EXECUTOR__BATCH_MAX", IN_A_BATCH), "").await;
    assert!(place <= 2 * IN_A_BATCH + 2, "place {place}");
}

#[tokio::test]
async fn large_commands_fill_a_batch_sooner() {
    let bytes = IN_A_BATCH * LONG_BYTES;
    let long = "\u{20ac}".repeat(10_000);
    let place = place_after_many(("EXECUTOR__BATCH_BYTES_MAX", bytes), &long).await;
    assert!(place <= 2 * IN_A_BATCH + 2, "place {place}");
}

#[tokio::test]
async fn who_takes_more_than_a_share_is_refused_and_others_have_a_place() {
    let app = App::start().await;
    let market = app.market().await;
    let auction = market.auction(json!({})).await;
    let bounds = [
        ("EXECUTOR__QUEUE_PER_PRINCIPAL_MAX", SHARE),
        ("EXECUTOR__QUEUE_MAX", 4 * SHARE),
    ];
    let process = command_api(&app, &bounds).await;
    let via = |client: &Client| client.via_command_api(&process.url);
    let many = via(&market.seller);
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(app.seller().await.via_command_api(&process.url));
    }
    let late = others.pop().unwrap();
    let body = draft(&market, "");
    let fill_share = |client: &Client| {
        let client = client.clone();
        let body = &body;
        async move { join_all((0..SHARE).map(|_| client.post("/v1/products", body))).await }
    };
    let held = hold_appends(&app).await;
    let rest = async {
        are_waiting(&process, SHARE).await;
        let refused = many.post("/v1/products", &body).await;
        refused.problem(429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), "");
        let (waited, ()) = tokio::join!(join_all(others.iter().map(fill_share)), async {
            are_waiting(&process, 4 * SHARE).await;
            let refused = late.post("/v1/products", &body).await;
            refused.problem(503, "overloaded");
            assert_ne!(refused.header("retry-after"), "");
            // Services have a place of their own.
            let reactor = via(&app.reactor("auction-timer"));
            let path = format!("/v1/auctions/{auction}/close");
            let (early, ()) = tokio::join!(reactor.post_empty(&path), async {
                are_waiting(&process, 4 * SHARE + 1).await;
                held.rollback().await.unwrap();
            });
            early.problem(409, "not_due");
        });
        assert!(waited.iter().flatten().all(Answer::is_ok));
    };
    let (waited, ()) = tokio::join!(fill_share(&many), rest);
    assert!(waited.iter().all(Answer::is_ok));
}

/// All of them hash passwords, of which a process takes few at a time.
#[tokio::test]
async fn registrations_from_one_address_leave_room_for_log_ins_from_another() {
    let app = App::builder()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_AUTH__HASH_CONCURRENCY", 1)
        .set("TIDEMARK_AUTH__HASH_QUEUE_MAX", 3)
        .set("TIDEMARK_AUTH__HASH_PER_ADDRESS_MAX", 2)
        .set("TIDEMARK_AUTH__ARGON2_ITERATIONS", 500)
        .start()
        .await;
    let from = |address: &str| app.client.with("x-forwarded-for", address);
    let person = app.person();
    let register = async |client: &Client, person: &Person| {
        client.post("/v1/users", &person.registration()).await
    };
    register(&from("192.0.2.1"), &person).await.ok();
    let over = Cell::new(false);
    let flood = async {
        let mut refused = 0;
        while !over.get() {
            let people: Vec<_> = (0..8).map(|_| app.person()).collect();
            let client = from("192.0.2.2");
            for answer in join_all(people.iter().map(|it| register(&client, it))).await {
                if !answer.is_ok() {
                    answer.problem(429, "too_many_requests");
                    refused += 1;
                }
            }
        }
        refused
    };
    let log_ins = async {
        for _ in 0..10 {
            let client = from("192.0.2.1");
            client.post("/v1/sessions", &person.login()).await.ok();
        }
        over.set(true);
    };
    let (refused, ()) = tokio::join!(flood, log_ins);
    assert!(refused > 0, "the flood met no bound");
}

/// Each of five addresses takes all that it may, and together they take all places.
#[tokio::test]
async fn log_ins_from_many_addresses_leave_room_for_those_from_another() {
    let app = App::builder()
        .set("TIDEMARK_HTTP__PROXIES", 1)
        .set("TIDEMARK_AUTH__HASH_CONCURRENCY", 1)
        .set("TIDEMARK_AUTH__HASH_QUEUE_MAX", 7)
        .set("TIDEMARK_AUTH__HASH_PER_ADDRESS_MAX", 2)
        .set("TIDEMARK_AUTH__ARGON2_ITERATIONS", 200)
        .start()
        .await;
    let from = |last: u8| {
        let address = format!("192.0.2.{last}");
        app.client.with("x-forwarded-for", address)
    };
    let person = app.person();
    let registered = from(1).post("/v1/users", &person.registration()).await;
    registered.ok();
    let (wrong, over) = (app.person().login(), Cell::new(false));
    let (compared, refused) = (Cell::new(0), Cell::new(0));
    let flood = (0..10).map(|number| {
        let (client, wrong) = (from(2 + number % 5), &wrong);
        let (over, compared, refused) = (&over, &compared, &refused);
        async move {
            while !over.get() {
                let answer = client.post("/v1/sessions", wrong).await;
                let counter = match answer.status {
                    401 => compared,
                    _ => refused,
                };
                counter.set(counter.get() + 1);
            }
        }
    });
    let log_ins = async {
        eventually("the flood to be worked on", || async {
            (compared.get() > 0).then_some(())
        })
        .await;
        for _ in 0..5 {
            from(1).post("/v1/sessions", &person.login()).await.ok();
        }
        over.set(true);
    };
    tokio::join!(join_all(flood), log_ins);
    assert!(refused.get() > 0, "the flood met no bound");
}

/// A header that no proxy has set says nothing.
#[tokio::test]
async fn a_client_cannot_choose_its_address() {
    let app = App::builder()
        .set("TIDEMARK_AUTH__HASH_PER_ADDRESS_MAX", 1)
        .set("TIDEMARK_AUTH__ARGON2_ITERATIONS", 2_000)
        .start()
        .await;
    let attempts = (1..9).map(|number| {
        let client = app
            .client
            .with("x-forwarded-for", format!("192.0.2.{number}"));
        let body = app.person().registration();
        async move { client.post("/v1/users", &body).await }
    });
    let answers = join_all(attempts).await;
    assert!(answers.iter().any(|it| it.code() == "too_many_requests"));
}

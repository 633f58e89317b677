//! Three processes append at once and one of them is killed meanwhile: the log has no gaps, its order is
//! the order in which things happened, and every command is in it once or not at all.

use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicUsize};

use futures::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};
use tidemark_tests::eventually;
use tidemark_tests::market::{STARTING_PRICE, eur};
use tidemark_tests::{Answer, App, Client};
use uuid::Uuid;

const PROCESSES: usize = 3;
const CLIENTS: usize = 18;
const COMMANDS: usize = 40;

/// A command with the answer that a client got in the end.
struct Answered {
    /// The slug of the category or the amount of the bid. No other event in the log has it.
    value: String,
    /// The highest position that any client knew when the command was first sent.
    after: i64,
    answer: Answer,
    /// Whether the command was sent again because its outcome was unknown.
    was_unknown: bool,
}

/// What all clients share.
struct Load {
    urls: Vec<String>,
    count: AtomicUsize,
    highest: AtomicI64,
}

impl Load {
    /// Sends a command until it is answered, each time to another process.
    async fn send(&self, client: &Client, path: &str, body: &Value, value: String) -> Answered {
        let client = client.with_key(&format!("key-of-command-{value}"));
        let first = self.count.load(SeqCst);
        let after = self.highest.load(SeqCst);
        let mut attempt = 0;
        let answer = loop {
            let url = &self.urls[(first + attempt) % PROCESSES];
            let request = client
                .via_command_api(url)
                .command(Method::POST, path)
                .json(body);
            match Answer::try_to(request).await {
                Ok(answer) if answer.status < 500 => break answer,
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(error) => assert!(!error.is_builder(), "{error}"),
            }
            attempt += 1;
            assert!(attempt < 1_000, "no process answers");
        };
        if answer.is_ok() {
            self.highest.fetch_max(answer.position(), SeqCst);
        }
        self.count.fetch_add(1, SeqCst);
        Answered {
            value,
            after,
            answer,
            was_unknown: attempt > 0,
        }
    }

    async fn create_categories(&self, admin: &Client, client: usize) -> Vec<Answered> {
        let mut answered = Vec::new();
        for number in 0..COMMANDS {
            let slug = format!("slug-{client}-{number}");
            let body = json!({"name": "Lamps", "slug": slug});
            answered.push(self.send(admin, "/v1/categories", &body, slug).await);
        }
        answered
    }

    async fn bid(&self, bidder: &Client, auction: Uuid, client: usize) -> Vec<Answered> {
        let mut answered = Vec::new();
        let path = format!("/v1/auctions/{auction}/bids");
        for number in 0..COMMANDS {
            // Amounts rise with time, and no two are equal.
            let amount = (self.count.load(SeqCst) * 100 + number) * 100 + client;
            let amount = STARTING_PRICE + i64::try_from(amount).unwrap();
            let body = json!({"amount": eur(amount)});
            answered.push(self.send(bidder, &path, &body, amount.to_string()).await);
        }
        answered
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_append_and_one_is_killed() {
    let app = App::start().await;
    let auction = app
        .market()
        .await
        .auction(json!({"minimum_increment": 1}))
        .await;
    let (admin, bidder): (&Client, _) = (app.admin().await, app.user().await);
    let mut processes = join_all((0..PROCESSES).map(|_| app.spawn_command_api())).await;
    let before = app.database.head().await;
    let load = Load {
        urls: processes
            .iter()
            .map(|process| process.url.clone())
            .collect(),
        count: AtomicUsize::new(0),
        highest: AtomicI64::new(before),
    };

    let mut killed = processes.remove(1);
    let kill = async {
        eventually("a third of the answers", || async {
            (load.count.load(SeqCst) > CLIENTS * COMMANDS / 3).then_some(())
        })
        .await;
        killed.kill().await;
    };
    let (load, bidder): (&Load, &Client) = (&load, &bidder);
    let clients = (0..CLIENTS).map(|client| async move {
        if client % 3 == 0 {
            load.bid(bidder, auction, client).await
        } else {
            load.create_categories(admin, client).await
        }
    });
    let ((), answered) = join(kill, join_all(clients)).await;
    let answered: Vec<_> = answered.into_iter().flatten().collect();
    drop(processes);

    assert!(
        answered.iter().any(|answered| answered.was_unknown),
        "no command was in flight when the process was killed, so nothing was tested"
    );
    assert_log_has_no_gaps(&app).await;
    assert_each_command_is_in_the_log_once(&app, &answered, before).await;
}

/// Fails unless positions and versions have no gaps and no repeats, and times never go back.
async fn assert_log_has_no_gaps(app: &App) {
    let defects: Vec<String> = sqlx::query_scalar(
        "
        select 'position ' || position
          from (select position, row_number() over (order by position) as expected from events) as log
         where position <> expected
         union all
        select 'version ' || version || ' of ' || stream_id
          from (select stream_id,
                       version,
                       row_number() over (partition by stream_id order by position) as expected
                  from events) as streams
         where version <> expected
         union all
        select 'time of ' || position
          from (select position,
                       recorded_at,
                       lag(recorded_at) over (order by position) as earlier
                  from events) as times
         where recorded_at < earlier
         union all
        select 'head'
          from log_head
         where position <> (select count(*) from events)
        ",
    )
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    assert_eq!(defects, Vec::<String>::new());
}

/// Fails unless every accepted command is in the log once, at the position that was answered and after
/// every position that a client knew before, and no refused command is in it.
async fn assert_each_command_is_in_the_log_once(app: &App, answered: &[Answered], before: i64) {
    let log: Vec<(i64, String)> = sqlx::query_as(
        "
        select position,
               coalesce(data->>'slug', data->'amount'->>'amount')
          from events
         where position > $1
           and type in ('category.created', 'auction.bid_placed')
         order by position
        ",
    )
    .bind(before)
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    let accepted = answered.iter().filter(|answered| answered.answer.is_ok());
    let mut expected: Vec<_> = accepted
        .clone()
        .map(|answered| (answered.answer.position(), answered.value.clone()))
        .collect();
    expected.sort_unstable();
    assert_eq!(log, expected);
    for answered in accepted {
        assert!(
            answered.answer.position() > answered.after,
            "{}",
            answered.value
        );
    }
    let refused = answered.iter().filter(|answered| !answered.answer.is_ok());
    for answered in refused {
        answered.answer.problem(409, "bid_too_low");
    }
}

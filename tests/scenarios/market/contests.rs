//! One auction, many bidders at once: bids strictly rise, the highest wins, and nothing comes after the
//! close.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::{Value, json};
use tidemark_tests::market::{INCREMENT, STARTING_PRICE};
use tidemark_tests::{App, Client, User};
use uuid::Uuid;

use super::bids::rising_bids;

const BIDDERS: usize = 64;
/// The fewest accepted bids that make a contest.
const BIDS_MIN: usize = 16;

/// The accepted bids, by version: the bidder and the amount in cents.
type Accepted = BTreeMap<i64, (Uuid, i64)>;

/// Bids until the auction is over, each time some steps above the price that is shown, or none, which is
/// too little. Returns the accepted bids.
async fn bid_to_the_end(bidder: &User, auction: Uuid, first_step: usize) -> Accepted {
    let mut accepted = Accepted::new();
    let path = format!("/v1/auctions/{auction}");
    for step in (0..BIDDERS)
        .cycle()
        .skip(first_step)
        .step_by(BIDDERS / 2 - 1)
    {
        let seen = bidder.get(&path).await.ok().body;
        let current = seen["current_price"]["amount"].as_i64().unwrap();
        let amount = current + INCREMENT * i64::try_from(step).unwrap();
        let answer = bidder.bid(auction, amount).await;
        match (answer.status, answer.code()) {
            (201, _) => {
                accepted.insert(answer.version(), (bidder.id, amount));
            }
            (409, "auction_over") => break,
            (409, "bid_too_low") => {}
            _ => panic!("{answer:?}"),
        }
    }
    accepted
}

/// The events of an auction: version, type and data of each.
async fn events(app: &App, auction: Uuid) -> Vec<(i64, String, Value)> {
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "select version, type, data::text from events where stream_id = $1 order by version",
    )
    .bind(auction)
    .fetch_all(&app.database.pool)
    .await
    .unwrap();
    let parsed = |data: String| serde_json::from_str(&data).unwrap();
    rows.into_iter()
        .map(|(version, event_type, data)| (version, event_type, parsed(data)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_bids_at_once_rise_and_the_highest_is_accepted() {
    let app = App::start().await;
    let second = app.spawn_command_api().await;
    let auction = app.market().await.auction(json!({})).await;
    let mut bidders: Vec<Client> = Vec::new();
    for _ in 0..4 {
        let bidder = app.user().await;
        bidders.push(bidder.via_command_api(&second.url));
        bidders.push(bidder.via_command_api(app.command_url()));
    }
    let head = app.database.head().await;
    // The amounts are not sorted, and some are equal.
    let amounts = (0..200).map(|n| STARTING_PRICE + (n * 37 % 100) * 50);
    let bids = amounts
        .zip(bidders.iter().cycle())
        .map(|(amount, bidder)| async move { (amount, bidder.bid(auction, amount).await) });
    let answers = join_all(bids).await;
    let mut accepted = Vec::new();
    for (amount, answer) in &answers {
        if answer.is_ok() {
            accepted.push((answer.position(), *amount));
        } else {
            answer.problem(409, "bid_too_low");
        }
    }
    accepted.sort_unstable();
    let amounts: Vec<_> = accepted.iter().map(|(_, amount)| *amount).collect();
    let bids = rising_bids(&app, auction).await;
    assert_eq!(
        bids.iter().map(|(_, amount)| *amount).collect::<Vec<_>>(),
        amounts
    );
    let highest = answers.iter().map(|(amount, _)| *amount).max().unwrap();
    assert!(
        highest - amounts.last().unwrap() < INCREMENT,
        "the highest bid was refused"
    );
    let events = i64::try_from(amounts.len()).unwrap() + 1;
    assert_eq!(app.database.head().await, head + events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bids_strictly_rise_the_highest_wins_and_nothing_comes_after_the_close() {
    let app = App::start_all().await;
    let market = app.market().await;
    let bidders = join_all((0..BIDDERS).map(|_| app.user())).await;
    let ends_at = app.database.in_seconds(8).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    app.settle().await;
    let bidding = bidders.iter().enumerate();
    let bidding = bidding.map(|(index, bidder)| bid_to_the_end(bidder, auction, index));
    let accepted: Accepted = join_all(bidding).await.into_iter().flatten().collect();

    let events = events(&app, auction).await;
    let placed: Accepted = events
        .iter()
        .filter(|(_, event_type, _)| event_type == "auction.bid_placed")
        .map(|(version, _, bid)| {
            let bidder_id = bid["bidder_id"].as_str().unwrap().parse().unwrap();
            let amount = bid["amount"]["amount"].as_i64().unwrap();
            (*version, (bidder_id, amount))
        })
        .collect();
    assert!(
        placed.len() >= BIDS_MIN,
        "too few bids for a contest: {}",
        placed.len()
    );
    assert_eq!(
        accepted, placed,
        "the accepted bids differ from those in the log"
    );
    let amounts: Vec<i64> = placed.values().map(|(_, amount)| *amount).collect();
    let is_raised = |pair: &[i64]| pair[1] >= pair[0] + INCREMENT;
    assert!(amounts.windows(2).all(is_raised), "{amounts:?}");
    let (_, last, closed) = events.last().unwrap();
    assert_eq!(last, "auction.closed", "an event follows the close");
    let (winner_id, price) = placed.values().max_by_key(|(_, amount)| amount).unwrap();
    let sold = json!({
        "result": "sold",
        "winner_id": winner_id,
        "price": {"amount": price, "currency": "EUR"},
    });
    assert_eq!(closed["outcome"], sold);
    app.settle().await;
    let path = format!("/v1/auctions/{auction}");
    let document = app.client.get(&path).await.ok().body;
    assert_eq!(document["outcome"], sold);
    assert_eq!(document["bid_count"], placed.len());
}

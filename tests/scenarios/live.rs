//! One auction, many bidders, and those who watch: bids strictly rise, the highest wins, nothing comes
//! after the close, and no state is taken back. (Row 90 of the bad inputs; I15 of the counters.)

use std::collections::BTreeMap;

use futures::future::join_all;
use reqwest::Response;
use serde_json::{Value, json};
use tidemark_tests::market::INCREMENT;
use tidemark_tests::{Answer, App, Client, User};
use uuid::Uuid;

const BIDDERS: usize = 64;
/// Fewer bids would be no contest.
const BIDS_MIN: usize = 16;

/// A bid that was answered 2xx.
type Accepted = BTreeMap<i64, (Uuid, i64)>;

/// Bids until the auction is over, each time above what is seen by another step, sometimes too little.
/// Gives the accepted bids by version.
async fn bid_to_the_end(bidder: &User, auction: Uuid, place: usize) -> Accepted {
    let mut accepted = Accepted::new();
    let path = format!("/v1/auctions/{auction}");
    for step in (0..BIDDERS).cycle().skip(place).step_by(BIDDERS / 2 - 1) {
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

/// The auction's facts: version, type, data.
async fn facts(app: &App, auction: Uuid) -> Vec<(i64, String, Value)> {
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
async fn bids_strictly_rise_the_highest_wins_and_nothing_comes_after_the_close() {
    let app = App::whole().await;
    let market = app.market().await;
    let bidders = join_all((0..BIDDERS).map(|_| app.user())).await;
    let ends_at = app.database.in_seconds(8).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    app.settle().await;
    let bidding = bidders.iter().enumerate();
    let bidding = bidding.map(|(place, bidder)| bid_to_the_end(bidder, auction, place));
    let accepted: Accepted = join_all(bidding).await.into_iter().flatten().collect();

    let facts = facts(&app, auction).await;
    let placed: Accepted = facts
        .iter()
        .filter(|(_, event_type, _)| event_type == "auction.bid_placed")
        .map(|(version, _, bid)| {
            let bidder_id = bid["bidder_id"].as_str().unwrap().parse().unwrap();
            let amount = bid["amount"]["amount"].as_i64().unwrap();
            (*version, (bidder_id, amount))
        })
        .collect();
    assert!(placed.len() >= BIDS_MIN, "few bids: {}", placed.len());
    assert_eq!(accepted, placed, "what was answered is what is in the log");
    let amounts: Vec<i64> = placed.values().map(|(_, amount)| *amount).collect();
    let is_raised = |pair: &[i64]| pair[1] >= pair[0] + INCREMENT;
    assert!(amounts.windows(2).all(is_raised), "{amounts:?}");
    let (_, last, closed) = facts.last().unwrap();
    assert_eq!(last, "auction.closed", "the close is the end");
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

/// Somebody who watches an auction.
struct Watcher {
    response: Response,
    text: String,
}

/// A state that was sent.
#[derive(Clone, Debug, PartialEq)]
struct State {
    id: String,
    document: Value,
}

impl State {
    fn position(&self) -> i64 {
        let (_, position) = self.id.split_once('.').unwrap();
        position.parse().unwrap()
    }

    fn is_last(&self) -> bool {
        self.document["status"] == "closed"
    }
}

impl Watcher {
    async fn open(client: &Client, auction: Uuid) -> Self {
        let request = client.query(&format!("/v1/auctions/{auction}/live"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        Self {
            response,
            text: String::new(),
        }
    }

    async fn next(&mut self) -> State {
        loop {
            let event = self.next_event().await;
            let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
            // A comment keeps the connection and says nothing.
            if let Some(data) = field("data: ") {
                return State {
                    id: field("id: ").unwrap().to_owned(),
                    document: serde_json::from_str(data).unwrap(),
                };
            }
        }
    }

    async fn next_event(&mut self) -> String {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                return self.text.drain(..end + 2).collect();
            }
            let chunk = self.response.chunk().await.unwrap().unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The states to the close.
    async fn rest(&mut self) -> Vec<State> {
        let mut states = Vec::new();
        while !states.last().is_some_and(State::is_last) {
            states.push(self.next().await);
        }
        states
    }
}

#[track_caller]
fn assert_rises(states: &[State]) {
    let rises = |pair: &[State]| pair[0].position() < pair[1].position();
    assert!(states.windows(2).all(rises), "{states:#?}");
    let counts: Vec<_> = states
        .iter()
        .map(|state| state.document["bid_count"].as_i64())
        .collect();
    assert!(counts.is_sorted(), "{counts:?}");
}

#[tokio::test]
async fn watchers_see_rising_states_resume_where_they_were_and_end_with_the_same() {
    let app = App::whole().await;
    let (market, buyer) = (app.market().await, app.user().await);
    let ends_at = app.database.in_seconds(8).await;
    let auction = market.auction(json!({"ends_at": ends_at})).await;
    app.settle().await;
    let elsewhere = app.another_query_api().await;
    let mut watchers = [
        Watcher::open(&app.client, auction).await,
        Watcher::open(&app.client.asking(&elsewhere.url), auction).await,
    ];
    let first = watchers[0].next().await;
    assert_eq!(first.document["bid_count"], 0);
    for step in 0..20 {
        buyer.bid(auction, 1_000 + step * INCREMENT).await.ok();
    }
    let [one, other] = &mut watchers;
    let (mut seen, also_seen) = tokio::join!(one.rest(), other.rest());
    seen.insert(0, first);
    assert_rises(&seen);
    assert_rises(&also_seen);
    let last = seen.last().unwrap();
    assert_eq!(also_seen.last(), Some(last), "both end with the same state");
    let path = format!("/v1/auctions/{auction}");
    let document: Answer = app.client.at_least(&last.id).get(&path).await.ok();
    assert_eq!(document.body, last.document);

    // Resumed at any state, only newer ones come, through any replica.
    for state in &seen[..seen.len() - 1] {
        let client = app.client.asking(&elsewhere.url);
        let client = client.with("last-event-id", &state.id);
        let resumed = Watcher::open(&client, auction).await.rest().await;
        assert!(resumed[0].position() > state.position(), "{resumed:?}");
        assert_eq!(resumed.last(), Some(last));
    }
}

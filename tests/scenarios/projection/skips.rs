//! What an operator has skipped for a row stays out of it: in the generation that serves, in those that are kept, in those that
//! are built later, and when the row is made anew.

use serde_json::json;
use sqlx::AssertSqlSafe;
use tidemark_tests::{App, User, eventually};
use uuid::Uuid;

use super::rebuilds::order;
use super::replay::{assert_documents, assert_rows};

/// An auction with one bid.
struct Case {
    app: App,
    buyer: User,
    auction: Uuid,
}

impl Case {
    async fn new() -> Self {
        let app = App::start_all().await;
        let (market, buyer) = (app.market().await, app.user().await);
        let auction = market.auction(json!({})).await;
        buyer.bid(auction, 1_000).await.ok();
        app.settle().await;
        Self {
            app,
            buyer,
            auction,
        }
    }

    /// Bids, which `table` refuses, has that bid skipped, and lets the table take bids again.
    async fn skip_refused_bid(&self, table: &str) {
        let refuse = format!(
            "alter table {table} add constraint poison check (id <> '{}' or bid_count < 2)",
            self.auction
        );
        self.execute(refuse).await;
        self.buyer.bid(self.auction, 2_000).await.ok();
        self.app.settle().await;
        self.order(&["parked", "skip", "auction"]).await;
        eventually("no row to be parked", || async {
            let parked = sqlx::query_scalar("select count(*) from parked");
            let parked: i64 = parked.fetch_one(&self.app.database.pool).await.unwrap();
            (parked == 0).then_some(())
        })
        .await;
        self.execute(format!("alter table {table} drop constraint poison"))
            .await;
    }

    async fn execute(&self, sql: String) {
        let executed = sqlx::query(AssertSqlSafe(sql));
        executed.execute(&self.app.database.pool).await.unwrap();
    }

    /// Orders something about the auction.
    async fn order(&self, arguments: &[&str]) {
        let id = self.auction.to_string();
        let ordered = order(&self.app, &[arguments, &[&id]].concat()).await;
        assert!(ordered.status.success(), "{ordered:?}");
    }

    /// Orders something about all auctions.
    async fn order_about_all(&self, command: &str) {
        let ordered = order(&self.app, &[command, "auction"]).await;
        assert!(ordered.status.success(), "{command}: {ordered:?}");
    }

    async fn assert_bids(&self, expected: i64, when: &str) {
        self.app.settle().await;
        let path = format!("/v1/auctions/{}", self.auction);
        let seen = self.app.client.get(&path).await.ok();
        assert_eq!(seen.body["bid_count"], expected, "{when}: {seen:?}");
    }
}

#[tokio::test]
async fn a_skipped_event_stays_out_of_later_generations_and_of_a_row_that_is_made_anew() {
    let case = Case::new().await;
    case.skip_refused_bid("auction_rows").await;
    case.assert_bids(1, "after the skip").await;
    case.buyer.bid(case.auction, 3_000).await.ok();
    case.assert_bids(2, "after another bid").await;
    case.order(&["rebuild", "auction", "--row"]).await;
    case.assert_bids(2, "after the row was made anew").await;
    case.order_about_all("rebuild").await;
    case.assert_bids(2, "in a generation that was built later")
        .await;
    case.order(&["rebuild", "auction", "--row"]).await;
    case.assert_bids(2, "after the row was made anew there")
        .await;
    assert_documents(&case.app).await;
    case.order_about_all("rollback").await;
    case.assert_bids(2, "in the generation that served before")
        .await;
}

#[tokio::test]
async fn a_skipped_event_is_taken_out_of_a_generation_that_had_applied_it() {
    let case = Case::new().await;
    case.order_about_all("rebuild").await;
    case.skip_refused_bid("auction_rows_2").await;
    case.assert_bids(1, "where the row was parked").await;
    case.order_about_all("rollback").await;
    case.assert_bids(1, "where the row was never parked").await;
    case.order_about_all("rebuild").await;
    case.assert_bids(1, "where the event was never applied")
        .await;
    assert_rows(&case.app).await;
    assert_documents(&case.app).await;
}

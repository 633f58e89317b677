//! An auction with a history for auditors to read.

use serde_json::json;
use tidemark_events::Recorded;
use tidemark_tests::eventually;
use tidemark_tests::{App, User};
use uuid::Uuid;

/// A number that appears nowhere else in a test, so that searching for it proves something.
pub(super) const RESERVE: i64 = 74_839_261;

/// An auction that had a reserve and bids, was extended by a late bid, and has closed.
pub(super) struct AuditedAuction {
    pub(super) id: Uuid,
    pub(super) buyer: User,
    pub(super) auditor: User,
}

impl AuditedAuction {
    pub(super) async fn create(app: &App) -> Self {
        let (market, buyer) = (app.market().await, app.user().await);
        let auction = market
            .auction(json!({
                "reserve_price": RESERVE,
                "ends_at": app.database.in_seconds(4).await,
                "anti_sniping_window_s": 4,
            }))
            .await;
        for amount in [1_000, 1_100, RESERVE] {
            buyer.bid(auction, amount).await.ok();
        }
        eventually("the auction to close", || async {
            let types = stored_events(app, auction).await;
            (types.last()?.event_type == "auction.closed").then_some(())
        })
        .await;
        app.settle().await;
        Self {
            id: auction,
            buyer,
            auditor: app.auditor().await,
        }
    }

    pub(super) fn events(&self) -> String {
        format!("/v1/audit/streams/{}/events", self.id)
    }

    pub(super) fn state(&self) -> String {
        format!("/v1/audit/auctions/{}/state", self.id)
    }
}

/// The events of a stream as the log stores them.
pub(super) async fn stored_events(app: &App, stream: Uuid) -> Vec<Recorded> {
    let log = app.database.log();
    log.stream(stream, 0, i64::MAX).await.unwrap()
}

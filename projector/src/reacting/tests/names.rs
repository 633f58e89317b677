//! Under which name the commands of a second reactor are sent.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;

#[tokio::test]
async fn each_reactor_sends_commands_under_its_own_name() {
    let database = Database::new("reactor_names").await;
    let (url, mut requests) = command_api(Answers::new()).await;
    register_both(&database.pool).await;
    let event = scheduled(&database, 1, PAST, FUTURE).await;
    react(&database, 0, vec![event.clone()]).await;
    let mut auditor = Reactor::new(database.pool.clone(), &AUDITOR, watch::Sender::default());
    auditor
        .apply(at(0), &page(&[Arc::new(event)]))
        .await
        .unwrap();
    let received = send(sender(&database, &url), &mut requests, 2).await;
    let names: BTreeSet<_> = received
        .iter()
        .map(|received| {
            let headers = &received.headers;
            let credential = headers["authorization"].to_str().unwrap();
            assert!(
                credential.starts_with("Service projector:"),
                "one credential"
            );
            (
                headers["x-reactor"].to_str().unwrap(),
                headers["idempotency-key"].to_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        names,
        BTreeSet::from([
            ("auction-auditor", "auction-auditor-0000000000000001-audit"),
            ("auction-timer", "auction-timer-0000000000000001-open"),
        ])
    );
}

//! Who holds a lease, on a real Postgres.

use super::*;
use crate::testing::{create_database, database_name};

/// The leases of two processes.
async fn leases(test: &str) -> [Leases; 2] {
    let pool = create_database(&database_name(&format!("leases_{test}"))).await;
    let pool = TimedPool::new(pool, Duration::from_secs(10));
    [1, 2].map(|holder| {
        let ttl = Duration::from_hours(1);
        Leases::new(pool.clone(), Uuid::from_u128(holder), ttl)
    })
}

async fn take(leases: &Leases, name: &str) -> Lease {
    let taken = leases.take(name).await.unwrap();
    taken.unwrap()
}

#[tokio::test]
async fn those_terms_are_prolonged_together_that_are_not_over() {
    let [ours, theirs] = leases("renew_all").await;
    let held = [take(&ours, "a").await, take(&ours, "b").await];
    let over = take(&ours, "c").await;
    ours.release([&over]).await.unwrap();
    take(&theirs, "c").await;
    let renewed = ours.renew_all(held.iter().chain([&over])).await.unwrap();
    assert_eq!(renewed, ["a", "b"].map(str::to_owned).into());
    let renewed = theirs.renew_all(held.iter()).await.unwrap();
    assert_eq!(renewed, HashSet::new());
}

#[tokio::test]
async fn those_leases_are_taken_together_that_no_other_process_holds() {
    let [ours, theirs] = leases("take_all").await;
    let names = ["c", "b", "a"].map(str::to_owned);
    take(&theirs, "b").await;
    let taken = ours.take_all(&names).await.unwrap();
    let lease = |name: &str, epoch| Lease {
        name: name.to_owned(),
        epoch,
    };
    assert_eq!(taken, [lease("a", 1), lease("c", 1)]);
    ours.release(&taken).await.unwrap();
    let taken = theirs.take_all(&names).await.unwrap();
    assert_eq!(taken, [lease("a", 2), lease("b", 2), lease("c", 2)]);
}

#[tokio::test]
async fn a_term_is_prolonged_until_it_is_over() {
    let [ours, theirs] = leases("renew").await;
    let lease = take(&ours, "a").await;
    assert!(ours.renew(&lease).await.unwrap());
    assert!(!theirs.renew(&lease).await.unwrap());
    assert_eq!(theirs.take("a").await.unwrap(), None);
    ours.release([&lease]).await.unwrap();
    assert!(!ours.renew(&lease).await.unwrap());
    assert_eq!(take(&theirs, "a").await.epoch, lease.epoch + 1);
}

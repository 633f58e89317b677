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
    ours.release(&over).await.unwrap();
    take(&theirs, "c").await;
    let renewed = ours.renew_all(held.iter().chain([&over])).await.unwrap();
    assert_eq!(renewed, ["a", "b"].map(str::to_owned).into());
    let renewed = theirs.renew_all(held.iter()).await.unwrap();
    assert_eq!(renewed, HashSet::new());
}

#[tokio::test]
async fn a_term_is_prolonged_until_it_is_over() {
    let [ours, theirs] = leases("renew").await;
    let lease = take(&ours, "a").await;
    assert!(ours.renew(&lease).await.unwrap());
    assert!(!theirs.renew(&lease).await.unwrap());
    assert_eq!(theirs.take("a").await.unwrap(), None);
    ours.release(&lease).await.unwrap();
    assert!(!ours.renew(&lease).await.unwrap());
    assert_eq!(take(&theirs, "a").await.epoch, lease.epoch + 1);
}

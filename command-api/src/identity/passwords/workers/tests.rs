//! The order in which passwords of several addresses are worked on, and who gives way.

use std::sync::mpsc;

use futures::future::join_all;

use super::*;

/// One worker, and places for so many who wait.
fn workers(waiting_max: usize) -> Workers {
    Workers {
        free: Arc::new(Semaphore::new(1)),
        places: Admission::new("passwords", 1 + waiting_max, 4),
        waiting: Arc::default(),
        wait_max: Duration::from_mins(1),
    }
}

fn address(last: u8) -> ClientAddress {
    ClientAddress(IpAddr::from([192, 0, 2, last]))
}

/// Has passwords of these addresses worked on that all wait at once, and returns the addresses in the order in which they
/// got their turn, and those who got none.
async fn turns(workers: &Workers, addresses: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let held = Arc::clone(&workers.free).acquire_owned().await.unwrap();
    let (sender, done) = mpsc::channel();
    let run = async |last: u8| {
        let sender = sender.clone();
        let admitted = workers.admit(address(last));
        let worked = workers.run(admitted.ok()?, move || sender.send(last).unwrap());
        worked.await.ok()
    };
    let all = join_all(addresses.iter().map(|&last| run(last)));
    let release = async { drop(held) };
    let (outcomes, ()) = tokio::join!(all, release);
    let without = addresses.iter().zip(outcomes);
    let without = without.filter(|(_, outcome)| outcome.is_none());
    (
        done.try_iter().collect(),
        without.map(|(it, _)| *it).collect(),
    )
}

#[tokio::test]
async fn addresses_take_turns() {
    let workers = workers(8);
    let (order, without) = turns(&workers, &[1, 1, 1, 2, 3]).await;
    assert_eq!(order, [1, 2, 3, 1, 1]);
    assert_eq!(without, [0; 0]);
    assert_eq!(workers.free.available_permits(), 1);
}

#[tokio::test]
async fn who_has_less_waiting_gets_the_place_of_who_has_more() {
    let workers = workers(3);
    // The fourth place is that of the worker.
    let (order, without) = turns(&workers, &[1, 1, 1, 1, 2, 3, 2, 2]).await;
    assert_eq!(order, [1, 2, 3, 2]);
    assert_eq!(without, [1, 1, 1, 2]);
    assert!(workers.waiting().is_empty());
}

#[tokio::test]
async fn who_is_not_ready_gives_way_and_gets_no_worker() {
    let workers = workers(2);
    let admit = |last| workers.admit(address(last));
    let [first, second, third] = [admit(1), admit(1), admit(1)].map(Result::unwrap);
    let other = admit(2).unwrap();
    assert!(matches!(
        workers.run(third, || ()).await,
        Err(Error::Overloaded)
    ));
    workers.run(other, || ()).await.unwrap();
    workers.run(second, || ()).await.unwrap();
    workers.run(first, || ()).await.unwrap();
}

/// They would hold the places of others until it was their turn.
#[tokio::test]
async fn who_has_disconnected_needs_no_place() {
    let workers = workers(0);
    let held = Arc::clone(&workers.free).acquire_owned().await.unwrap();
    let admitted = workers.admit(address(1)).unwrap();
    let wait = Duration::from_millis(1);
    let waited = timeout(wait, workers.run(admitted, || ())).await;
    assert!(waited.is_err());
    drop(workers.admit(address(1)).unwrap());
    let admitted = workers.admit(address(1)).unwrap();
    drop(held);
    workers.run(admitted, || ()).await.unwrap();
}
